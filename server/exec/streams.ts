/**
 * A program over HTTP, one way: as Server-Sent Events, as lines of JSON, or as it is. The answer
 * ends when the program does, and says how it ended where there is a word for it.
 */
import { isUtf8 } from "node:buffer";
import type { ServerResponse } from "node:http";
import { PushError } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { linesOf } from "../lines.ts";
import { NDJSON } from "../transports/ndjson.ts";
import { reconnectTime } from "../transports/sse.ts";
import { comment, EVENT_STREAM, eventBlock } from "../wire/event-stream.ts";
import { chunk, chunkOf, openHttpStream } from "../wire/http-stream.ts";
import type { Ending, Relay } from "./relay.ts";

/** How output is written. Everything is a chunk (RFC 9112 §7.1). */
export interface OutputFormat {
  /** What is asked for. */
  readonly accept: string;
  /** The Content-Type. */
  readonly type: string;
  readonly opening: (limits: Limits) => string;
  readonly bytesOf: (output: Buffer) => Buffer;
  /** A sign of life; empty where there is no way to give one. */
  readonly heartbeat: Buffer;
  /** Undefined where there is no word for it but to cut the answer off. */
  readonly lastText: (ending: Ending) => string | undefined;
}

export interface StreamOptions {
  format: OutputFormat;
  limits: Limits;
}

export function relayStream(
  response: ServerResponse,
  relay: Relay,
  { format, limits }: StreamOptions,
): void {
  // Plain text has no sign of life, and nobody has one while there is no room: the kernel asks then
  // whether the client is there.
  response.req.socket.setKeepAlive(true, limits.heartbeatMs);
  const stream = openHttpStream(response, { "Content-Type": format.type });
  stream.write(format.opening(limits));
  let silent = true;
  const heartbeat = setInterval(() => {
    if (silent && stream.hasRoom) stream.writeChunk(format.heartbeat);
    silent = true;
  }, limits.heartbeatMs);
  stream.onClose(() => clearInterval(heartbeat));
  stream.tell({ wake: () => relay.wake(), stop: () => relay.leave() });
  relay.pour({
    write: (output) => {
      silent = false;
      stream.writeChunk(format.bytesOf(output));
      return stream.hasRoom;
    },
    end: (ending) => {
      clearInterval(heartbeat);
      const lastText = format.lastText(ending);
      if (lastText === undefined) stream.cutOff();
      else stream.end(lastText);
    },
  });
}

/**
 * What an EventSource comes back with (`Last-Event-ID`) when the program has ended; it would start the
 * program again, for ever. A 204 tells it to stay away (§9.2.3).
 */
export const LAST_ID = "exit";

/** WHATWG HTML §9.2: an event a line, and at the end `exit` or `error`. */
const EVENTS: OutputFormat = {
  accept: EVENT_STREAM,
  type: EVENT_STREAM,
  opening: ({ reconnectMs }) => eventBlock({ retry: reconnectTime(reconnectMs) }),
  bytesOf: (output) => chunk(textOf(linesOf(output), (data) => eventBlock({ data }))),
  heartbeat: chunk(comment("heartbeat")),
  lastText: (ending) => {
    const [event, value] = named(ending);
    const retry = ending instanceof PushError ? ending.retryAfterMs : undefined;
    const id = event === "exit" ? LAST_ID : undefined;
    return eventBlock({ retry, id, event, data: JSON.stringify(value) });
  },
};

const LINES: OutputFormat = {
  accept: NDJSON,
  type: NDJSON,
  opening: () => "",
  bytesOf: (output) => chunk(textOf(linesOf(output), (data) => jsonLine({ data }))),
  heartbeat: chunk("\n"), // readers of NDJSON skip empty lines
  lastText: (ending) => jsonLine(Object.fromEntries([named(ending)])),
};

const TEXT: OutputFormat = {
  accept: "text/plain",
  type: "text/plain; charset=utf-8",
  opening: () => "",
  bytesOf: (output) => chunkOf(isUtf8(output) ? output : Buffer.from(output.toString("utf8"))),
  heartbeat: Buffer.alloc(0),
  // Who takes a part for the whole would be wrong; how the program ended there is no word for.
  lastText: (ending) => (ending instanceof PushError ? undefined : ""),
};

/** The last one is for everybody who asks for none of them. */
export const LINE_FORMATS: readonly OutputFormat[] = [EVENTS, LINES, TEXT];

/** The same for bytes: base64 where only text can be. */
export const BINARY_FORMATS: readonly OutputFormat[] = [
  { ...EVENTS, bytesOf: (output) => chunk(eventBlock({ data: output.toString("base64") })) },
  { ...LINES, bytesOf: (output) => chunk(jsonLine({ data: output.toString("base64") })) },
  {
    ...TEXT,
    accept: "application/octet-stream",
    type: "application/octet-stream",
    bytesOf: chunkOf,
  },
];

function textOf(lines: readonly string[], encode: (line: string) => string): string {
  let text = "";
  for (const line of lines) text += encode(line);
  return text;
}

function named(ending: Ending): ["exit" | "error", unknown] {
  if (!(ending instanceof PushError)) return ["exit", ending.exit ?? { code: null, signal: null }];
  const { code, message, retryAfterMs } = ending;
  return ["error", { code, message, retryAfterMs }];
}

function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
