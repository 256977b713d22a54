/**
 * The ways to read a topic by its URL, each as a `Reader` of the transport contract. What the server
 * writes at once is one batch to them, also where the bytes do not say so.
 */
import { createParser } from "eventsource-parser";
import { WebSocket } from "ws";
import type { Batch, Gap, PushEvent } from "../../server/contract.ts";
import { isEmpty } from "../../server/subscription.ts";
import type { OpenReader, Reader, ReaderOptions, TransportTraits } from "../transport-contract.ts";
import { openChunks, restOf } from "./chunks.ts";
import { ask } from "./wire.ts";

export const sse: OpenReader = ({ url }, options) => openSse(topicUrl(url, options));

/** An EventSource that comes back: its place is a header, for which nothing is refused. */
export const resumedSse: OpenReader = ({ url }, { after, ...options }) => {
  if (!after?.includes(".")) return openSse(topicUrl(url, { after, ...options }));
  return openSse(topicUrl(url, options), { "Last-Event-ID": after });
};

export const ndjson: OpenReader = ({ url }, options) =>
  openLines(topicUrl(url, options), { Accept: "application/x-ndjson" }, linesToBatch);

export const webSocket: OpenReader = async ({ url }, options) => {
  const socket = new WebSocket(topicUrl(url.replace(/^http/, "ws"), options));
  const inbox = new Inbox();
  const closed = new Promise<void>((resolve) => {
    socket.once("close", (code, reason) => {
      const told = reason.length > 0 ? (JSON.parse(reason.toString()) as Told) : undefined;
      inbox.end(told ? refusal(told) : new Error(`closed: ${code}`));
      resolve();
    });
  });
  const first = new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (frame, isBinary) => {
      if (isBinary) inbox.end(new Error("a binary frame"));
      inbox.add(JSON.parse((frame as Buffer).toString()) as Batch);
      resolve();
    });
    socket.once("unexpected-response", (request, response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.once("end", () => {
        reject(text === "" ? new Error(`${response.statusCode} without a word`) : toldIn(text));
        request.destroy();
      });
    });
  });
  await first; // comes at once, also when there is nothing yet
  return {
    next: () => inbox.next(),
    close: async () => {
      socket.close();
      await closed;
    },
  };
};

/** Asks again and again, without waiting: what the smallest client does that knows no more. */
export const polling: OpenReader = ({ url }, options) => openPoll(url, options, 0);

export const longPolling: OpenReader = ({ url }, options) => openPoll(url, options, 20);

export const topicReaders: [string, OpenReader, TransportTraits][] = [
  ["SSE", sse, { waits: "connected" }],
  ["SSE with Last-Event-ID", resumedSse, { waits: "connected", forgivesFuture: true }],
  ["NDJSON", ndjson, { waits: "connected" }],
  ["WebSocket", webSocket, { waits: "connected" }],
  ["polling", polling, { waits: "unseen" }],
  ["long-polling", longPolling, { waits: "held" }],
];

/** What a client is told when something is wrong, over any transport. */
interface Told {
  code: string;
  message: string;
  retryAfterMs?: number;
}

export function refusal(told: Told): Error & Told {
  return Object.assign(new Error(told.message), told);
}

function toldIn(text: string): Error & Told {
  return refusal((JSON.parse(text) as { error: Told }).error);
}

interface Question extends ReaderOptions {
  wait?: number;
}

/** The address of a topic, with the place to begin at. */
function topicUrl(url: string, { topic = "topic", after, wait }: Question): string {
  const search = new URLSearchParams({
    ...(after !== undefined && { after }),
    ...(wait !== undefined && { wait: String(wait) }),
  });
  return `${url}/topics/${encodeURIComponent(topic)}?${search}`;
}

async function openPoll(
  url: string,
  { after, topic }: ReaderOptions,
  wait: number,
): Promise<Reader> {
  let cursor = after;
  let open = new AbortController();
  const poll = async (seconds: number) => {
    const address = topicUrl(url, { topic, after: cursor, wait: seconds });
    const { status, text } = await ask(address, { signal: open.signal });
    if (status !== 200) throw toldIn(text);
    const batch = JSON.parse(text) as Batch;
    ({ cursor } = batch);
    return batch;
  };
  let first: Batch | undefined = await poll(0);
  return {
    next: async () => {
      for (;;) {
        const batch = first ?? (await poll(wait));
        first = undefined;
        if (!isEmpty(batch)) return batch;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    close: async () => {
      open.abort();
      open = new AbortController();
    },
  };
}

function openSse(url: string, headers: Record<string, string> = {}): Promise<Reader> {
  return openLines(url, { Accept: "text/event-stream", ...headers }, eventsToBatch());
}

type Decode = (chunk: string) => Batch | undefined;

/** A stream that tells what each chunk holds, or throws what it was ended with. */
async function openLines(
  url: string,
  headers: Record<string, string>,
  decode: Decode,
): Promise<Reader> {
  const answer = await openChunks(url, headers);
  if (answer.status !== 200) {
    const text = await restOf(answer);
    answer.socket.destroy();
    throw toldIn(text);
  }
  return {
    next: async () => {
      for (;;) {
        const chunk = await answer.next();
        if (chunk === undefined) throw new Error("the stream has ended without a word");
        const batch = decode(chunk);
        if (batch) return batch;
      }
    },
    close: async () => {
      answer.socket.destroy();
    },
  };
}

/** SSE as an EventSource reads it. Its events have no time. */
export function eventsToBatch(): Decode {
  let events: PushEvent[] = [];
  let gap: Gap | undefined;
  let cursor: string | undefined;
  let failure: Error | undefined;
  const parser = createParser({
    onEvent: ({ id, event: name, data }) => {
      if (name === "error") return void (failure = refusal(JSON.parse(data) as Told));
      cursor = id!;
      if (name !== "gap") {
        const offset = Number(cursor.split(".")[1]);
        events.push({ offset, time: 0, ...(name && { name }), data: JSON.parse(data) as unknown });
      } else if (gap || events.length > 0) {
        failure = new Error("a gap that does not come first");
      } else {
        gap = JSON.parse(data) as Gap;
      }
    },
    onError: (error) => (failure = error),
  });
  return (chunk) => {
    parser.feed(chunk);
    if (failure) throw failure;
    if (events.length === 0 && !gap) return undefined;
    const batch: Batch = { events, cursor: cursor!, ...(gap && { gap }) };
    events = [];
    gap = undefined;
    return batch;
  };
}

interface Line extends Partial<Omit<PushEvent, "name">> {
  cursor: string;
  name?: string;
  gap?: Gap;
  error?: Told;
}

export function linesToBatch(chunk: string): Batch | undefined {
  const lines = chunk.trimEnd().split("\n");
  const events: PushEvent[] = [];
  let gap: Gap | undefined;
  let cursor: string | undefined;
  for (const line of lines) {
    if (line === "") continue;
    const { error, gap: told, cursor: place, ...event } = JSON.parse(line) as Line;
    if (error) throw refusal(error);
    if (told && (gap || events.length > 0)) throw new Error("a gap that does not come first");
    cursor = place;
    if (!told && !place.endsWith(`.${event.offset}`)) throw new Error(`not its cursor: ${line}`);
    if (told) gap = told;
    else events.push(event as PushEvent);
  }
  return cursor === undefined ? undefined : { events, cursor, ...(gap && { gap }) };
}

/** Batches that have arrived and were not taken yet, and how the connection ended. */
class Inbox {
  readonly #batches: Batch[] = [];
  #failure: Error | undefined;
  #wake = () => {};

  add(batch: Batch): void {
    if (!isEmpty(batch)) this.#batches.push(batch);
    this.#wake();
  }

  end(failure: Error): void {
    this.#failure ??= failure;
    this.#wake();
  }

  async next(): Promise<Batch> {
    for (;;) {
      const batch = this.#batches.shift();
      if (batch) return batch;
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
