/**
 * stdin → what is to be published, a block of lines at a time. Nothing is read before it is asked
 * for: whoever is slow to take a block stops the program at the other end of the pipe.
 */
import type { Readable } from "node:stream";
import { type NumberedLine, NumberedLines } from "./numbered-lines.ts";

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  readonly data: unknown;
}

export interface InputOptions {
  /** Each line is JSON; blank ones are left out. */
  readonly json: boolean;
  /** Nothing more is read from then on; what had been read before is still given. */
  readonly stop: AbortSignal;
  /** A line is left out. */
  readonly refuse: Refuse;
}

export type Refuse = (number: number, why: string) => void;

/** Ends with the stream, whose last line needs no newline; when it was stopped, half a line is none. */
export async function* readLines(
  stream: Readable,
  { json, stop, refuse }: InputOptions,
): AsyncGenerator<Iterable<Line>, void> {
  const lines = new NumberedLines((number, { message }) => refuse(number, message));
  const dataOf = (block: NumberedLine[]) => (json ? values(block, refuse) : texts(block));
  for await (const chunk of chunksOf(stream, stop)) yield dataOf(lines.push(chunk));
  if (!stop.aborted) yield dataOf(lines.end());
}

function texts(block: NumberedLine[]): Line[] {
  return block.map(({ number, text }) => ({ number, data: text }));
}

/** One by one, so that what is wrong is told in the order of the lines. */
function* values(block: NumberedLine[], refuse: Refuse): Generator<Line, void> {
  for (const { number, text } of block) {
    if (text.trim() === "") continue;
    let data: unknown;
    try {
      data = JSON.parse(text);
    } catch (error) {
      refuse(number, `Expected JSON: ${(error as Error).message}`);
      continue;
    }
    yield { number, data };
  }
}

/** Not by the stream's own iterator: leaving that would throw away what it had read ahead. */
async function* chunksOf(stream: Readable, stop: AbortSignal): AsyncGenerator<Buffer, void> {
  let failure: Error | undefined;
  let wake = () => {};
  const change = () => wake();
  stream.on("readable", change).on("end", change);
  stream.on("error", (error) => {
    failure = error;
    wake();
  });
  stop.addEventListener("abort", change);
  while (!stop.aborted) {
    const chunk = stream.read() as Buffer | null;
    if (chunk) {
      yield chunk;
      continue;
    }
    if (failure) throw failure;
    if (stream.readableEnded) return;
    await new Promise<void>((resolve) => (wake = resolve));
  }
  const rest = stream.read() as Buffer | null;
  stream.destroy(); // an open stdin would hold the process
  if (rest) yield rest;
}
