/**
 * The lines between stdin and the server: those that wait to be sent, and those that were sent and
 * are not answered yet. They are bounded; when there is no room, stdin is not read.
 */
export interface WaitingLine {
  /** Counted from 1. */
  readonly number: number;
  readonly data: unknown;
  /** Of the data as JSON. */
  readonly bytes: number;
}

export interface Bounds {
  readonly lines: number;
  readonly bytes: number;
}

export class WaitingLines {
  readonly #bounds: Bounds;
  readonly #lines: WaitingLine[] = [];
  #bytes = 0;
  #ended = false;
  #open = false;
  #onRoom = () => {};
  #onFilled = () => {};

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#lines.length;
  }

  /** No line will be added any more. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Adds a line; undefined when there is room for another, else wait for it. */
  add(line: WaitingLine): Promise<void> | undefined {
    this.#lines.push(line);
    this.#bytes += line.bytes;
    this.#onFilled();
    if (this.#hasRoom) return undefined;
    return new Promise((resolve) => (this.#onRoom = resolve));
  }

  end(): void {
    this.#ended = true;
    this.#onFilled();
  }

  /** Lets in without waiting what has been read already; little more than one chunk. */
  open(): void {
    this.#open = true;
    this.#onRoom();
  }

  /** The first, as many as fit and at least one when there is one. They stay until `drop`. */
  first({ lines, bytes }: Bounds): readonly WaitingLine[] {
    let sum = 0;
    const end = this.#lines.findIndex((line, index) => {
      sum += line.bytes;
      return index === lines || (index > 0 && sum > bytes);
    });
    return this.#lines.slice(0, end === -1 ? undefined : end);
  }

  /** The first so many are done. */
  drop(count: number): void {
    for (const { bytes } of this.#lines.splice(0, count)) this.#bytes -= bytes;
    if (this.#hasRoom) this.#onRoom();
  }

  /** Resolves when a line waits, or none will. */
  async filled(): Promise<void> {
    if (this.size > 0 || this.#ended) return;
    await new Promise<void>((resolve) => (this.#onFilled = resolve));
  }

  get #hasRoom(): boolean {
    return this.#open || (this.size < this.#bounds.lines && this.#bytes < this.#bounds.bytes);
  }
}
