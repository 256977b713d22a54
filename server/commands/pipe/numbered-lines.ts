/**
 * Bytes → lines with their numbers, counted from 1. A line that is too long for anything is told as
 * soon as that is known, and skipped up to its end; the lines around it are given.
 */
import { linesOf, LineSplitter, LineTooLong } from "../../lines.ts";

export interface NumberedLine {
  readonly number: number;
  readonly text: string;
}

/** An event has 64 KiB, but JSON may come with any amount of blanks. */
export const MAX_LINE_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;

export class NumberedLines {
  readonly #onTooLong: (number: number, error: LineTooLong) => void;
  #splitter = new LineSplitter(MAX_LINE_BYTES);
  /** Of the last line that was given or told. */
  #number = 0;
  /** The rest of a line that was told is still to come. */
  #skipping = false;

  constructor(onTooLong: (number: number, error: LineTooLong) => void) {
    this.#onTooLong = onTooLong;
  }

  /** The lines that this chunk completes. */
  push(chunk: Buffer): NumberedLine[] {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    const lines = this.#takeWhole(chunk.subarray(0, end));
    this.#keep(chunk.subarray(end));
    return lines;
  }

  /** The last line, when nothing ends it. */
  end(): NumberedLine[] {
    return this.#skipping ? [] : this.#numbered(this.#splitter.end());
  }

  #takeWhole(block: Buffer): NumberedLine[] {
    if (block.length === 0) return [];
    if (!this.#skipping) {
      const lines = this.#split(block);
      if (lines) return lines;
    }
    return linePieces(block).flatMap((piece) => {
      if (!this.#skipping) return this.#split(piece) ?? this.#tell();
      this.#skipping = false;
      return [];
    });
  }

  #keep(rest: Buffer): void {
    if (this.#skipping || this.#split(rest)) return;
    this.#tell();
    this.#skipping = true;
  }

  /**
   * Undefined when a line in it is too long; then nothing of it is taken, for a chunk here has
   * either whole lines or none that ends.
   */
  #split(chunk: Buffer): NumberedLine[] | undefined {
    try {
      return this.#numbered(this.#splitter.push(chunk));
    } catch (error) {
      if (error instanceof LineTooLong) return undefined;
      throw error;
    }
  }

  #tell(): [] {
    this.#splitter = new LineSplitter(MAX_LINE_BYTES);
    this.#number += 1;
    this.#onTooLong(this.#number, new LineTooLong(MAX_LINE_BYTES));
    return [];
  }

  #numbered(block: Buffer | undefined): NumberedLine[] {
    if (!block) return [];
    return linesOf(block).map((text) => ({ number: (this.#number += 1), text }));
  }
}

/** A block of whole lines → each with its end. */
function linePieces(block: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let from = 0; from < block.length;) {
    const to = block.indexOf(NEWLINE, from) + 1;
    pieces.push(block.subarray(from, to));
    from = to;
  }
  return pieces;
}
