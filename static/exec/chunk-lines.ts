/**
 * Bytes as a program prints them → lines. The last is shown before it has ended, because a prompt
 * never does: "Name: ".
 */
import type { LineLog } from "../shared/line-log.ts";

const MAX_LINE = 16_000; // characters; longer ones are cut where they stand

export class ChunkLines {
  readonly #log: Pick<LineLog, "add" | "replaceLast">;
  readonly #decoder = new TextDecoder();
  /** The end of the output so far; it is shown already. */
  #unfinished = "";

  constructor(log: Pick<LineLog, "add" | "replaceLast">) {
    this.#log = log;
  }

  take(bytes: ArrayBuffer): void {
    const text = this.#unfinished + this.#decoder.decode(bytes, { stream: true });
    const lines = text.split("\n");
    const last = lines.pop()!;
    if (last !== "") lines.push(last);
    for (const [index, line] of lines.entries()) {
      const shown = { text: line.endsWith("\r") ? line.slice(0, -1) : line, time: Date.now() };
      if (index === 0 && this.#unfinished !== "") this.#log.replaceLast(shown);
      else this.#log.add(shown);
    }
    this.#unfinished = last.length < MAX_LINE ? last : "";
  }

  /** What comes next begins a line of its own. */
  breakLine(): void {
    this.#unfinished = "";
  }
}
