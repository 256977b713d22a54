/** `pipe --url`: stdin → a running server. What happens to the connection is told on stderr. */
import { nanoid } from "nanoid";
import { TransportError } from "../../../client/transport.ts";
import { checkData } from "../../check.ts";
import { PushError } from "../../errors.ts";
import { DEFAULT_LIMITS } from "../../limits.ts";
import { stopSignal } from "../serving.ts";
import { Delivery } from "./deliver.ts";
import type { Line, Refuse } from "./input.ts";
import { publishLines } from "./request.ts";
import { type WaitingLine, WaitingLines } from "./waiting-lines.ts";
import { keyThatIsLost } from "./wire-keys.ts";

/** Lines that were read and are not stored yet; then stdin is not read any more. */
const BUFFER = { lines: 1_000, bytes: 1024 * 1024 };
const FAREWELL_MS = 8_000; // to deliver what was read, on a signal; containers get 10 s

export interface SendLinesOptions {
  /** Of the server: `http://HOST` or `http://HOST/prefix`. */
  readonly url: URL;
  readonly topic: string;
  readonly token: string;
  readonly read: (stop: AbortSignal) => AsyncIterable<Iterable<Line>>;
  readonly refuse: Refuse;
}

/** Resolves when all is delivered; ends the process with 1 when that cannot be. */
export async function sendLines(options: SendLinesOptions): Promise<void> {
  const { url, topic, token, read, refuse } = options;
  const destination = { url: apiOf(url), topic, token, run: nanoid() };
  const waiting = new WaitingLines(BUFFER);
  const end = new AbortController();
  const delivery = new Delivery(waiting, {
    send: (lines, signal) => publishLines(lines, destination, signal),
    refuse,
    onStatus: (text) => console.error(text === "connected" ? `connected: ${url.href}` : text),
    signal: end.signal,
  });
  const stop = new AbortController();
  void stopSignal().then((signal) => {
    console.error(`${signal}: delivering what was read`);
    stop.abort();
    waiting.open();
    delivery.hurry();
    setTimeout(() => end.abort(new Error("it takes too long")), FAREWELL_MS);
  });
  const reading = fill(waiting, read(stop.signal), refuse);
  try {
    await Promise.all([reading, delivery.run()]);
  } catch (error) {
    if (end.signal.aborted) giveUp(`${waiting.size} lines were not acknowledged`);
    if (!(error instanceof TransportError)) throw error;
    giveUp(`${destination.url.href}: ${error.message} (${error.code})`);
  }
  process.exit(); // with the code of the lines that were left out
}

async function fill(
  waiting: WaitingLines,
  blocks: AsyncIterable<Iterable<Line>>,
  refuse: Refuse,
): Promise<void> {
  for await (const block of blocks) {
    for (const line of block) {
      const checked = check(line, refuse);
      if (checked) await waiting.add(checked);
    }
  }
  waiting.end();
}

/** As the server will check it. */
function check({ number, data }: Line, refuse: Refuse): WaitingLine | undefined {
  try {
    const json = checkData(data, DEFAULT_LIMITS.eventBytes);
    const key = keyThatIsLost(data);
    if (key === undefined) return { number, data, bytes: Buffer.byteLength(json) };
    refuse(number, `Expected no key that Cap'n Web does not carry, got ${JSON.stringify(key)}`);
  } catch (error) {
    if (!(error instanceof PushError)) throw error;
    refuse(number, error.message);
  }
  return undefined;
}

/** The server may be behind a proxy, under a path of its own. */
function apiOf(url: URL): URL {
  return new URL(`${url.pathname.replace(/\/+$/, "")}/api`, url);
}

function giveUp(why: string): never {
  console.error(why);
  process.exit(1);
}
