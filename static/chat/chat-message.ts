/**
 * What goes over the chat's WebSocket. The server passes every text on as it is, so what arrives may
 * be from any client: all of it is text, and none of it is believed.
 */
export interface ChatMessage {
  /** The sender's own number for it, so that nobody shows it twice; undefined from other clients. */
  readonly id: string | undefined;
  readonly name: string;
  readonly text: string;
}

export const MAX_BYTES = 512 * 1024; // of a frame; the server closes with 1009 above it
const MAX_NAME = 40;
const SHOWN = 4_000; // characters; 200 messages of half a megabyte each would freeze any page

export function encodeMessage({ id, name, text }: ChatMessage): string {
  return JSON.stringify({ type: "message", id, name, text });
}

/** `{"type":"ack"}`: the server has taken the oldest message of this socket that had none. */
export function isAck(frame: string): boolean {
  return field(parse(frame), "type") === "ack";
}

/** Never fails: what is no message of a page like this one is shown as it came. */
export function decodeMessage(frame: string): ChatMessage {
  const value = parse(frame);
  const text = field(value, "text");
  const name = field(value, "name")?.trim().slice(0, MAX_NAME) || "Someone";
  return { id: field(value, "id"), name, text: shorten(text ?? frame) };
}

export function bytesOf(frame: string): number {
  return new TextEncoder().encode(frame).length;
}

/** Not a UUID: browsers give those to pages over https and on this machine only. */
export function newId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

function shorten(text: string): string {
  if (text.length <= SHOWN) return text;
  return `${text.slice(0, SHOWN)}… (${text.length.toLocaleString("en")} characters in all)`;
}

function parse(frame: string): unknown {
  try {
    return JSON.parse(frame);
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const text = (value as Record<string, unknown>)[name];
  return typeof text === "string" ? text : undefined;
}
