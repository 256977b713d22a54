import fc from "fast-check";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { logLines } from "../../../server/sources/log-lines.ts";
import { property } from "../../support/property.ts";
import { start } from "../../support/started-program.ts";

const MAX_BYTES = 4096;

describe("what a program says on stderr", () => {
  test.each([
    ["nothing", "", []],
    ["a line", "a\n", ["a"]],
    ["a line without an end", "a\nb", ["a", "b"]],
    ["empty lines", "\n\n", ["", ""]],
    ["lines of Windows", "a\r\nb\r\n", ["a", "b"]],
    ["a line of 4 KiB", "x".repeat(MAX_BYTES), ["x".repeat(MAX_BYTES)]],
    ["the same with an end", `${"x".repeat(MAX_BYTES)}\r\ny`, ["x".repeat(MAX_BYTES), "y"]],
    ["a longer one", `${"x".repeat(MAX_BYTES + 1)}\ny`, [`${"x".repeat(MAX_BYTES)}…`, "y"]],
    ["a much longer one", "x".repeat(1e6), [`${"x".repeat(MAX_BYTES)}…`]],
    ["a character on the border", `x${"€".repeat(2_000)}`, [`x${"€".repeat(1_365)}…`]],
    ["one just before it", `xx${"😀".repeat(2_000)}`, [`xx${"😀".repeat(1_023)}…`]],
    ["what is not UTF-8", Buffer.from([0x61, 0xff, 0x0a]), ["a\u{FFFD}"]],
    ["nor that on the border", Buffer.alloc(5_000, 0x80), [`${"\u{FFFD}".repeat(4_092)}…`]],
  ])("is logged line by line: %s", async (_, said, lines) => {
    expect(await logged([Buffer.from(said)])).toEqual(lines);
  });

  test("is the same however it comes", async () => {
    const piece = fc.constantFrom(
      "a",
      "€",
      "\n",
      "\r\n",
      "\r",
      "x".repeat(1_000),
      "y".repeat(4_095),
    );
    const cuts = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 20 });
    await property([fc.array(piece, { maxLength: 40 }), cuts], async (pieces, sizes) => {
      const text = pieces.join("");
      const lines = text.split("\n");
      if (lines.at(-1) === "") lines.pop();
      expect(await logged(chunksOf(Buffer.from(text), sizes))).toEqual(lines.map(cut));
    });
  });

  test("does not keep others waiting when it is a flood", async () => {
    let lines = 0;
    let most = 0;
    let turns = 0;
    const watch = () => {
      most = Math.max(most, lines);
      lines = 0;
      turns += 1;
      if (turns < 100) setImmediate(watch);
    };
    watch();
    const flood = Readable.from(Array.from({ length: 5 }, () => Buffer.alloc(65_536, "\n")));
    const done = logLines(flood, () => {
      lines += 1;
      const end = performance.now() + 0.1; // what it takes to write it, at least
      if (turns < 100) while (performance.now() < end);
    });
    await expect.poll(() => turns).toBe(100);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(100); // 2 ms, some of them in one turn
    await done;
  });

  test("is heard to the end", async () => {
    const { stderr } = await start("sh", ["-c", "seq 100000 >&2"]);
    await expect.poll(() => stderr.length).toBe(100_000);
    expect(stderr.at(-1)).toBe("100000");
  });

  test("ends when it is closed", async () => {
    const lines: string[] = [];
    const stderr = new Readable({ read() {} });
    const done = logLines(stderr, (line) => lines.push(line));
    stderr.push("a\nb");
    await expect.poll(() => lines).toEqual(["a"]);
    stderr.destroy();
    await done;
    expect(lines).toEqual(["a", "b"]);
  });
});

async function logged(chunks: Buffer[]): Promise<string[]> {
  const lines: string[] = [];
  await logLines(Readable.from(chunks), (line) => lines.push(line));
  return lines;
}

/** Of these sizes, over and over. */
function chunksOf(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const to = from + sizes[chunks.length % sizes.length]!;
    chunks.push(bytes.subarray(from, to));
    from = to;
  }
  return chunks;
}

/** The model: as many whole characters as there is room for. */
function cut(line: string): string {
  const text = line.replace(/\r$/, "");
  if (Buffer.byteLength(text) <= MAX_BYTES) return text;
  let kept = "";
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > MAX_BYTES) break;
    kept += character;
  }
  return `${kept}…`;
}
