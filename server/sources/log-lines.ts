/**
 * What a program says on stderr → lines for the log. It is always read, so that no program waits
 * for its log; a flood is read in slices, so that nobody waits for the flood.
 */
import type { Readable } from "node:stream";

const MAX_BYTES = 4096; // of a line; who writes more than a screen is not writing a log
const SLICE_MS = 2; // of logging before others have their turn

/**
 * @param onLine MUST NOT throw; gets each line without its end, cut with … when it is too long
 * @returns resolves when there is no more; never rejects
 */
export async function logLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = new CutLines();
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let began = performance.now();
      for (const line of lines.push(chunk)) {
        onLine(line);
        if (performance.now() - began < SLICE_MS) continue;
        await new Promise((resolve) => setImmediate(resolve));
        began = performance.now();
      }
    }
  } catch {
    // Closed from our side: what has come so far is all.
  }
  const last = lines.end();
  if (last !== undefined) onLine(last);
}

class CutLines {
  /** The beginning of a line whose end has not come; two bytes more tell that it is too long. */
  #kept = Buffer.alloc(0);

  *push(chunk: Buffer): Generator<string> {
    for (let from = 0; from < chunk.length;) {
      const end = chunk.indexOf(NEWLINE, from);
      const to = end === -1 ? chunk.length : end;
      const room = MAX_BYTES + 2 - this.#kept.length;
      this.#kept = Buffer.concat([this.#kept, chunk.subarray(from, Math.min(to, from + room))]);
      if (end !== -1) yield this.#take();
      from = to + 1;
    }
  }

  end(): string | undefined {
    return this.#kept.length === 0 ? undefined : this.#take();
  }

  #take(): string {
    const kept = this.#kept;
    this.#kept = Buffer.alloc(0);
    const line = kept.at(-1) === RETURN ? kept.subarray(0, -1) : kept;
    if (line.length <= MAX_BYTES) return line.toString("utf8");
    let end = MAX_BYTES;
    while (end > MAX_BYTES - 4 && isInside(line[end]!)) end -= 1; // no half characters
    return `${line.toString("utf8", 0, end)}…`;
  }
}

/** A byte of UTF-8 that does not begin a character. */
function isInside(byte: number): boolean {
  return (byte & 0b1100_0000) === 0b1000_0000;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
