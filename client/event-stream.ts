/**
 * Server-Sent Events: chunks of text → events, as WHATWG HTML §9.2.6 interprets a stream. Pure; it
 * does no I/O, and holds one unfinished event at most.
 */

/** A chunk's events are told while it is pushed, in their order. */
export interface EventStreamHandlers {
  /**
   * @param name the event's type; undefined is `message`
   * @param id the last id that the stream has set, with this event or before
   */
  onEvent(data: string, name: string | undefined, id: string | undefined): void;
  /** A block without data has set the id: no event, but the reader's place. */
  onId?(id: string): void;
  /** How long to wait before coming back, in milliseconds. */
  onRetry?(retryMs: number): void;
  /** A line that says nothing, such as a heartbeat; without the colon and one space. */
  onComment?(text: string): void;
}

export interface EventStreamOptions {
  /** The longest event, and the longest line. */
  maxChars?: number;
}

export class EventStreamParser {
  readonly #handlers: EventStreamHandlers;
  readonly #maxChars: number;
  #begun = false;
  /** The beginning of a line whose end has not come yet. */
  #rest = "";
  /** The last chunk ended with CR: an LF at the beginning of the next one belongs to it. */
  #afterCr = false;
  /** The data lines of this event so far; undefined when there was none. */
  #data: string | undefined;
  #name: string | undefined;
  #id: string | undefined;
  #idIsNew = false;

  constructor(
    handlers: EventStreamHandlers,
    { maxChars = 16 * 1024 * 1024 }: EventStreamOptions = {},
  ) {
    this.#handlers = handlers;
    this.#maxChars = maxChars;
  }

  /** @throws {RangeError} when an event is too long; then the parser is of no more use */
  push(chunk: string): void {
    let start = this.#skip(chunk);
    let cr = chunk.indexOf("\r", start); // nearly always -1, and then it is not searched again
    for (;;) {
      const lf = chunk.indexOf("\n", start);
      if (cr !== -1 && cr < start) cr = chunk.indexOf("\r", start);
      const endsWithCr = cr !== -1 && (lf === -1 || cr < lf);
      const end = endsWithCr ? cr : lf;
      if (end === -1) break;
      // The rest is joined once, however many chunks a line comes in.
      const line = chunk.slice(start, end);
      const whole = this.#rest === "" ? line : this.#rest + line;
      this.#rest = "";
      start = end + 1;
      if (endsWithCr && lf === start) start += 1;
      else if (endsWithCr && start === chunk.length) this.#afterCr = true;
      this.#line(whole);
    }
    if (start < chunk.length) this.#rest += chunk.slice(start);
    if (this.#rest.length + (this.#data?.length ?? 0) > this.#maxChars) {
      throw new RangeError(`Expected events of at most ${this.#maxChars} characters`);
    }
  }

  /** How much of the chunk has been said already: a byte order mark, the LF of a CR LF. */
  #skip(chunk: string): number {
    if (chunk === "") return 0;
    let start = 0;
    if (!this.#begun && chunk.charCodeAt(0) === BOM) start = 1;
    this.#begun = true;
    if (this.#afterCr && chunk.charCodeAt(0) === LF) start = 1;
    this.#afterCr = false;
    return start;
  }

  #line(line: string): void {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return this.#handlers.onComment?.(valueOf(line, 0));
    if (colon === -1) return this.#field(line, "");
    this.#field(line.slice(0, colon), valueOf(line, colon));
  }

  #field(field: string, value: string): void {
    if (field === "data") {
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    } else if (field === "id") {
      if (value.includes("\0")) return;
      this.#id = value;
      this.#idIsNew = true;
    } else if (field === "event") {
      this.#name = value === "" ? undefined : value;
    } else if (field === "retry" && /^[0-9]+$/.test(value)) {
      this.#handlers.onRetry?.(Number(value));
    }
  }

  #dispatch(): void {
    const data = this.#data;
    const name = this.#name;
    const idIsNew = this.#idIsNew;
    this.#data = undefined;
    this.#name = undefined;
    this.#idIsNew = false;
    if (data !== undefined) this.#handlers.onEvent(data, name, this.#id);
    else if (idIsNew) this.#handlers.onId?.(this.#id!);
  }
}

const LF = 0x0a;
const BOM = 0xfeff;

/** What follows the colon, without one space. */
function valueOf(line: string, colon: number): string {
  return line.slice(line.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1);
}

const SPACE = 0x20;
