/**
 * Bytes as a program prints them → blocks of whole lines. A line ends with `\n` or `\r\n`. What is
 * kept between two chunks is one unfinished line, and its length is bounded. Imports nothing.
 *
 *      "a\nbc" → "a\n"      "d\r\ne" → "bcd\r\n"      end → "e\n"
 */

/** A line is longer than it may be. */
export class LineTooLong extends Error {
  readonly maxBytes: number;

  constructor(maxBytes: number) {
    super(`Expected lines of at most ${maxBytes} bytes`);
    this.maxBytes = maxBytes;
  }
}

export class LineSplitter {
  readonly #maxBytes: number;
  /** The beginning of a line whose end has not come, and room for more of it. */
  #kept = Buffer.alloc(0);
  #bytes = 0;

  /** @param maxBytes of a line, without what ends it */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * @returns the whole lines that this chunk completes, each with its `\n`; undefined for none
   * @throws {LineTooLong} and then nothing of the chunk is given
   */
  push(chunk: Buffer): Buffer | undefined {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) this.#checkLines(chunk, end);
    const whole = chunk.subarray(0, end);
    const block = end > 0 && this.#bytes > 0 ? Buffer.concat([this.#rest, whole]) : whole;
    if (end > 0) this.#bytes = 0;
    this.#keep(chunk.subarray(end));
    return end > 0 ? block : undefined;
  }

  /** The last line when nothing ends it, with a `\n` all the same; undefined when there is none. */
  end(): Buffer | undefined {
    return this.#bytes === 0 ? undefined : this.push(Buffer.of(NEWLINE));
  }

  get #rest(): Buffer {
    return this.#kept.subarray(0, this.#bytes);
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0) return;
    const bytes = this.#bytes + rest.length;
    // The last byte may belong to the end of the line.
    const most = rest.at(-1) === RETURN ? this.#maxBytes + 1 : this.#maxBytes;
    if (bytes > most) throw new LineTooLong(this.#maxBytes);
    if (bytes > this.#kept.length) {
      // Twice as much, so that a line that comes byte by byte is not copied at each.
      const room = Buffer.allocUnsafe(Math.min(2 * bytes, this.#maxBytes + 1));
      this.#rest.copy(room);
      this.#kept = room;
    }
    rest.copy(this.#kept, this.#bytes);
    this.#bytes = bytes;
  }

  #checkLines(chunk: Buffer, end: number): void {
    if (this.#bytes + chunk.length <= this.#maxBytes) return; // none can be too long
    for (let from = 0, before = this.#bytes; from < end; before = 0) {
      const to = chunk.indexOf(NEWLINE, from);
      const last = to > from ? chunk[to - 1] : before > 0 ? this.#kept[before - 1] : undefined;
      const bytes = before + to - from - (last === RETURN ? 1 : 0);
      if (bytes > this.#maxBytes) throw new LineTooLong(this.#maxBytes);
      from = to + 1;
    }
  }
}

/** The lines of a block of whole ones, without their ends. What is not UTF-8 is replaced by U+FFFD. */
export function linesOf(block: Buffer): string[] {
  const lines = block.toString("utf8").split("\n");
  lines.pop(); // after the last end
  for (const [index, line] of lines.entries()) {
    if (line.endsWith("\r")) lines[index] = line.slice(0, -1);
  }
  return lines;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
