/** `tail URL`: a topic's events on stdout, one line each, for ever; what happens meanwhile on stderr. */
import type { ConnectionStatus } from "../../client/status.ts";
import { cursorAt, cursorBefore } from "../../client/cursor.ts";
import { resume } from "../../client/resume.ts";
import { type Place, type TopicBatch, TransportError } from "../../client/transport.ts";
import { UsageError } from "../command-line.ts";
import { oneOf, wholeNumber } from "../config-rules.ts";
import { flagValue, readFlags } from "./command-flags.ts";
import { Output } from "./output.ts";
import { AFTER, makeTransport, parseUrl, TRANSPORT_NAMES } from "./reading.ts";

export const USAGE = `Usage: capnweb-push tail URL [flags]
Run \`capnweb-push tail --help\` for all flags.`;

const HELP = `Prints the events of a topic, each as one line of JSON, and goes on for ever: after a
cut or a restart of the server it resumes where it was. What was lost is a line too:
{"cursor":…,"gap":{"missed":3,"reason":"evicted"}}. Changes of the connection are
told on stderr.

Usage: capnweb-push tail URL [flags]

  --transport NAME   ${TRANSPORT_NAMES.slice(0, 4).join(", ")},
                     ${TRANSPORT_NAMES.slice(4).join(", ")}. Default ndjson.
                     Events over sse carry no time.
  --after CURSOR     Begin after this cursor, at \`earliest\` or, the default, at \`latest\`.
  --last N           Begin N events back instead.
  --data             Print only the data of each event; gaps go to stderr.
  -h, --help         Show this text.

Ends with 0 on SIGINT, on SIGTERM and when nobody reads its output any more, with 1 when
trying again cannot help, with 2 for a wrong flag.

Examples:
  capnweb-push tail http://localhost:8000/topics/system-metrics --last 10
  capnweb-push tail http://localhost:8000/topics/system-metrics --data | jq .cpuUsage`;

const VALUES = ["transport", "after", "last"];
const TRANSPORT = oneOf(...TRANSPORT_NAMES);
const LAST = wholeNumber("a whole number of events", 0, 1_000_000);
const FLUSH_MS = 300; // on a signal: for whoever reads the output, to take what waits there

/** @throws {UsageError} */
export async function tailCommand([, ...argv]: readonly string[]): Promise<void> {
  const flags = readFlags(argv, { values: VALUES, switches: ["data"] });
  if (flags === "help") return console.log(HELP);
  if (flags === "version") throw new UsageError("Unknown flag `--version`");
  const [url, ...more] = flags.positionals;
  if (url === undefined || more.length > 0) {
    throw new UsageError(`Expected one URL, got ${flags.positionals.length}`);
  }
  const after = flagValue(flags, "after", AFTER);
  const last = flagValue(flags, "last", LAST);
  if (after !== undefined && last !== undefined) {
    throw new UsageError("Expected `--after` or `--last`, got both");
  }
  const transport = makeTransport(
    flagValue(flags, "transport", TRANSPORT) ?? "ndjson",
    parseUrl(url),
  );
  const place: Place = {
    ...(after !== undefined && { after }),
    ...(last !== undefined && { last }),
  };

  const output = new Output();
  const signal = stopSignal(output);
  const encode = flags.switches.has("data") ? dataLines : eventLines;
  try {
    for await (const batch of resume(transport, place, { signal, onStatus: tell })) {
      const text = encode(batch);
      if (text !== "") await output.write(text);
    }
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    console.error(`${error.message} (${error.code})`);
    process.exit(1);
  }
}

/** The same lines as the server's NDJSON. */
function eventLines(batch: TopicBatch): string {
  let text = batch.gap ? line({ cursor: cursorBefore(batch), gap: batch.gap }) : "";
  for (const { offset, time, name, data } of batch.events) {
    text += line({ cursor: cursorAt(batch.cursor, offset), offset, time, name, data });
  }
  return text;
}

function dataLines({ events, gap }: TopicBatch): string {
  if (gap) console.error(`lost ${gap.missed ?? "an unknown number of"} events (${gap.reason})`);
  return events.map(({ data }) => line(data)).join("");
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** `disconnected` is told by what it is thrown with. */
function tell({ state, message, retryInMs }: ConnectionStatus): void {
  if (state === "connected") console.error(`connected: ${message}`);
  else if (retryInMs !== undefined) {
    console.error(`reconnecting in ${(retryInMs / 1_000).toFixed(1)} s: ${message}`);
  }
}

/** Aborted on SIGINT and SIGTERM; soon after that the process ends, whatever still waits. */
function stopSignal(output: Output): AbortSignal {
  const stop = new AbortController();
  const end = () => {
    stop.abort(new Error("told to stop"));
    if (output.waiting === 0) process.exit(0);
    setTimeout(() => process.exit(0), FLUSH_MS);
  };
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  return stop.signal;
}
