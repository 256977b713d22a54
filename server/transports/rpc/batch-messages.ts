/**
 * The body of an HTTP batch: text → messages, judged before any of them runs. The library runs a
 * batch line by line and throws at the first bad one, when the lines before it have already run.
 */
import { RpcSession, RpcTarget, type RpcTransportWithCustomEncoding } from "capnweb";
import { shown } from "../../check.ts";
import { PushError } from "../../errors.ts";
import { checkMessage, Demand } from "./messages.ts";

/**
 * One JSON message a line. Blank lines and CRLF are ignored (`echo` ends with a newline).
 * @throws {PushError} `protocol_error` for a line that is not a JSON array; `too_large`
 */
export function parseBatch(body: string, maxMessages: number): unknown[][] {
  const messages: unknown[][] = [];
  for (const line of body.split("\n")) {
    if (line.trim() === "") continue;
    if (messages.length === maxMessages) {
      throw new PushError("too_large", `Expected at most ${maxMessages} messages`);
    }
    messages.push(parseMessage(line, messages.length + 1));
  }
  if (messages[0]) addressMainAsZero(messages[0]);
  return messages;
}

function parseMessage(line: string, number: number): unknown[] {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch (error) {
    throw new PushError("protocol_error", `message ${number}: ${(error as Error).message}`);
  }
  if (Array.isArray(message)) return message;
  throw new PushError("protocol_error", `message ${number}: Expected a JSON array`);
}

/**
 * The protocol's first documents addressed the main object as id 1. In the first message nothing
 * else can be meant: the first push is what *becomes* id 1, so the library always refuses this and
 * no client of its own sends it.
 */
function addressMainAsZero(message: unknown[]): void {
  if (message.length !== 2 || message[0] !== "push") return;
  const call = message[1];
  if (!Array.isArray(call) || call.length !== 4) return;
  const [kind, id, path, args] = call as unknown[];
  if (kind === "pipeline" && id === 1 && Array.isArray(path) && Array.isArray(args)) call[1] = 0;
}

/**
 * Whether every message is a call with plain parameters, a pull or a release of what was called.
 * Nearly all batches are that, and it is cheap to see. Others are to be rehearsed.
 */
export function isPlainBatch(messages: readonly unknown[][]): boolean {
  const live = new Set([0]);
  let calls = 0;
  for (const message of messages) {
    const [kind, value] = message;
    if (kind === "push" && message.length === 2 && isPlainCall(value, live)) {
      live.add((calls += 1));
    } else if (kind === "pull" && message.length === 2 && value !== 0) {
      if (!live.has(value as number)) return false;
    } else if (kind === "release" && message.length === 3 && value !== 0 && message[2] === 1) {
      if (!live.delete(value as number)) return false;
    } else {
      return false;
    }
  }
  return true;
}

function isPlainCall(call: unknown, live: ReadonlySet<number>): boolean {
  if (!Array.isArray(call) || call.length !== 4) return false;
  const [kind, id, path, args] = call as unknown[];
  return (
    kind === "pipeline" &&
    live.has(id as number) &&
    Array.isArray(path) &&
    path.every((part) => typeof part === "string" || typeof part === "number") &&
    Array.isArray(args) &&
    args.every((arg) => isPlain(arg, MAX_PLAIN_DEPTH))
  );
}

const MAX_PLAIN_DEPTH = 32; // far below the library's limit of 256

/** JSON values; an array is `[[…]]` on the wire, any other is the library's own notation. */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depth === 0) return false;
  if (!Array.isArray(value)) return Object.values(value).every((item) => isPlain(item, depth - 1));
  const [items] = value as unknown[];
  return (
    value.length === 1 && Array.isArray(items) && items.every((item) => isPlain(item, depth - 1))
  );
}

/**
 * Judges a batch that is not plain. First by what a batch may hold at all; then by the library, with
 * a main object that can do nothing: every rule of its notation (unknown ids, kinds, nesting) is
 * applied, and no call runs.
 * @param messages are used up: the library writes into them
 * @throws {PushError} `protocol_error`, in the library's words
 */
export async function rehearse(messages: readonly unknown[][], maxCalls: number): Promise<void> {
  const demand = new Demand();
  for (const message of messages) {
    const [kind] = message;
    if (kind !== "push" && kind !== "pull" && kind !== "release") {
      throw new PushError(
        "protocol_error",
        `Expected push, pull or release in a batch, got ${shown(kind)}`,
      );
    }
    checkMessage(message, demand);
  }
  if (demand.calls > maxCalls) {
    throw new PushError("protocol_error", `Expected at most ${maxCalls} calls in a batch`);
  }

  let fail = (_reason: unknown) => {};
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  let done = () => {};
  const received = new Promise<void>((resolve) => (done = resolve));
  const waiting = messages.values();
  const transport: RpcTransportWithCustomEncoding = {
    encodingLevel: "jsonCompatible",
    send: () => 0,
    receive: () => {
      const { value } = waiting.next();
      if (value) return Promise.resolve(value);
      done();
      return new Promise(() => {});
    },
    abort: (reason) => fail(reason),
  };
  const session = new RpcSession(transport, new RpcTarget());
  try {
    await Promise.race([received, failed]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PushError("protocol_error", reason.slice(0, 300));
  } finally {
    failed.catch(() => {});
    session.getRemoteMain()[Symbol.dispose]();
  }
}
