/**
 * The bytes of Server-Sent Events: text/event-stream, WHATWG HTML §9.2.5. Pure; it does no I/O.
 */
export interface EventFields {
  /** Comes back as `Last-Event-ID`. Alone it sets the reader's place and is no event. */
  readonly id?: string | undefined;
  /** The event's type; without one it is a `message`. One line. */
  readonly event?: string | undefined;
  /** Text; each of its lines becomes a data line, and the reader joins them with `\n`. */
  readonly data?: string | undefined;
  /** After how many milliseconds an EventSource comes back. */
  readonly retry?: number | undefined;
}

export interface EventFormat {
  /** Between a field's name and its value; the reader drops one space. Default `": "`. */
  readonly colon?: ": " | ":" | undefined;
}

export const EVENT_STREAM = "text/event-stream";

/** One block, with the blank line that ends it. */
export function eventBlock(
  { retry, id, event, data }: EventFields,
  { colon = ": " }: EventFormat = {},
): string {
  let block = "";
  if (retry !== undefined) block += field("retry", String(retry), colon);
  if (id !== undefined) block += field("id", id, colon);
  if (event !== undefined) block += field("event", event, colon);
  // JSON has no line breaks in it, and nearly all data is JSON.
  if (data !== undefined && !LINE_BREAK.test(data)) block += field("data", data, colon);
  else for (const line of data?.split(LINE_BREAK) ?? []) block += field("data", line, colon);
  return `${block}\n`;
}

/** A line that readers ignore. */
export function comment(text: string): string {
  return `: ${text}\n\n`;
}

function field(name: string, value: string, colon: string): string {
  // The reader takes one space away, also the value's own.
  return value.startsWith(" ") ? `${name}: ${value}\n` : `${name}${colon}${value}\n`;
}

const LINE_BREAK = /\r\n|\r|\n/; // §9.2.6: all three end a line
