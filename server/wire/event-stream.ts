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
  if (retry !== undefined) block += `retry${colon}${retry}\n`;
  if (id !== undefined) block += `id${colon}${id}\n`;
  if (event !== undefined) block += `event${colon}${event}\n`;
  if (data !== undefined) block += dataLines(data, colon);
  return `${block}\n`;
}

/** A line that readers ignore. */
export function comment(text: string): string {
  return `: ${text}\n\n`;
}

function dataLines(data: string, colon: string): string {
  // JSON has no line breaks in it, and nearly all data is JSON.
  if (!LINE_BREAK.test(data)) return `data${colon}${data}\n`;
  return data
    .split(LINE_BREAK)
    .map((line) => `data${colon}${line}\n`)
    .join("");
}

const LINE_BREAK = /\r\n|\r|\n/; // §9.2.6: all three end a line
