/** What a client answers to calls: of a lane, or of the library. */
import { deserialize } from "capnweb";

/**
 * Reads the answer of a callback or a pipe that has nothing to say, which is nearly every one,
 * without parsing it.
 * @returns which call it answers, and whether with `undefined`; undefined for any other message
 */
export function plainReturn(text: string): { id: number; isVoid: boolean } | undefined {
  const found = PLAIN.exec(text);
  return found ? { id: Number(found[1]), isVoid: found[2] === VOID } : undefined;
}

const VOID = '["undefined"]';
const PLAIN = /^\["resolve",([1-9]\d{0,14}),(\["undefined"\]|null|true|false|\d{1,15})\]$/;

/** A client's answer as a message: kind, which call, the value or the error. */
export type Answer = readonly ["resolve" | "reject", number, unknown, ...unknown[]];

export function isAnswer(message: unknown): message is Answer {
  if (!Array.isArray(message) || message.length < 3) return false;
  return message[0] === "resolve" || message[0] === "reject";
}

/** The error in the client's own notation, `["error", name, message, stack, properties]`. */
export function errorIn(value: unknown): unknown {
  try {
    return deserialize(JSON.stringify(value));
  } catch {
    // References in it; they are released when the library looks at the message.
    return new Error(Array.isArray(value) ? String(value[2]) : "the call has failed");
  }
}
