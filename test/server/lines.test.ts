import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linesOf, LineSplitter, LineTooLong } from "../../server/lines.ts";
import { property } from "../support/property.ts";

describe("a splitter", () => {
  test.each([
    ["nothing", [], []],
    ["an empty chunk", [""], []],
    ["a line", ["a\n"], ["a\n"]],
    ["two in a chunk", ["a\nb\n"], ["a\nb\n"]],
    ["one in two chunks", ["a", "b\n"], ["ab\n"]],
    ["an end that comes alone", ["a", "\n"], ["a\n"]],
    ["empty lines", ["\n\n", "\n"], ["\n\n", "\n"]],
    ["ends of Windows", ["a\r\nb\r\n"], ["a\r\nb\r\n"]],
    ["one of them cut apart", ["a\r", "\nb"], ["a\r\n", "b\n"]],
    ["a line that nothing ends", ["a\nb"], ["a\n", "b\n"]],
    ["the drawing on top of it", ["a\nbc", "d\r\ne"], ["a\n", "bcd\r\n", "e\n"]],
    ["a character cut apart", [bytes("€").subarray(0, 1), bytes("€\n").subarray(1)], ["€\n"]],
  ])("gives blocks of whole lines: %s", (_, chunks, blocks) => {
    expect(split(chunks.map(bytes)).map(String)).toEqual(blocks);
  });

  test("does not copy lines that come whole", () => {
    const chunk = bytes("a\nb\nc");
    const block = new LineSplitter(10).push(chunk)!;
    expect(block.buffer).toBe(chunk.buffer);
    expect(block.byteOffset).toBe(chunk.byteOffset);
  });

  test("keeps what it was given though the chunk is used again", () => {
    const splitter = new LineSplitter(10);
    const chunk = bytes("abc");
    splitter.push(chunk);
    chunk.fill("x");
    expect(String(splitter.push(bytes("\n")))).toBe("abc\n");
  });

  test("begins anew after its end", () => {
    const splitter = new LineSplitter(10);
    splitter.push(bytes("a"));
    expect(String(splitter.end())).toBe("a\n");
    expect(splitter.end()).toBeUndefined();
    expect(String(splitter.push(bytes("b\n")))).toBe("b\n");
  });
});

describe("a line of at most 4 bytes", () => {
  test.each([
    ["3 bytes", "abc\n", true],
    ["4 bytes", "abcd\n", true],
    ["5 bytes", "abcde\n", false],
    ["4 bytes and an end of Windows", "abcd\r\n", true],
    ["5 bytes and an end of Windows", "abcde\r\n", false],
    ["4 bytes and half an end of Windows", "abcd\r", true],
    ["4 bytes and twice that half", "abcd\r\r\n", false],
    ["4 bytes that nothing ends", "abcd", true],
    ["5 bytes that nothing ends", "abcde", false],
    ["no end of Windows but bytes within", "abcd\re\n", false],
    ["a long one after short ones", "a\nb\nc\nd\nabcde\n", false],
    ["short ones, together longer", "abcd\nabcd\nabcd\n", true],
    ["2 characters of 2 bytes", "üü\n", true],
    ["2 characters of 2 bytes and one more", "üüx\n", false],
  ])("has %s, at once or byte by byte: %j, %s", (_, text, fits) => {
    const whole = bytes(text);
    const single = [...whole].map((byte) => Buffer.of(byte));
    for (const chunks of [[whole], single]) {
      const read = () => Buffer.concat(split(chunks, 4)).length;
      if (fits) expect(read()).toBeGreaterThanOrEqual(whole.length);
      else expect(read).toThrow(LineTooLong);
    }
  });

  test("that is longer is refused before it ends", () => {
    const splitter = new LineSplitter(4);
    splitter.push(bytes("ab"));
    expect(() => splitter.push(bytes("cde"))).toThrow("Expected lines of at most 4 bytes");
  });
});

test("any text in any chunks gives its lines, or tells of one that is too long", async () => {
  const piece = fc.constantFrom(
    "",
    "a",
    "bc",
    "ü",
    "€",
    "😀",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "abcdefg",
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });
  const most = fc.integer({ min: 1, max: 24 });
  await property(
    [fc.array(piece, { maxLength: 30 }), sizes, most],
    (pieces, chunkSizes, maxBytes) => {
      const text = pieces.join("");
      const expected = naive(text);
      const chunks = chunksOf(bytes(text), chunkSizes);
      if (expected.some((line) => Buffer.byteLength(line) > maxBytes)) {
        expect(() => split(chunks, maxBytes)).toThrow(LineTooLong);
        return;
      }
      const blocks = split(chunks, maxBytes);
      expect(blocks.flatMap(linesOf)).toEqual(expected);
      for (const block of blocks) expect(block.at(-1)).toBe(0x0a);
      const ended = text === "" || text.endsWith("\n") ? text : `${text}\n`;
      expect(Buffer.concat(blocks).toString()).toBe(ended); // not a byte is changed
    },
    { runs: 2_000 },
  );
});

test("a line that comes byte by byte is not copied at each", () => {
  const splitter = new LineSplitter(1_000_000);
  for (let sent = 0; sent < 1_000_000; sent += 1) splitter.push(Buffer.of(0x61));
  expect(splitter.push(Buffer.of(0x0a))).toHaveLength(1_000_001);
});

describe("the lines of a block", () => {
  test.each([
    ["one", "a\n", ["a"]],
    ["empty ones", "\n\n", ["", ""]],
    ["ends of Windows", "a\r\n\r\nb\n", ["a", "", "b"]],
    ["of two returns, one is the line's", "a\r\r\n", ["a\r"]],
    ["a return within", "a\rb\n", ["a\rb"]],
  ])("are without their ends: %s", (_, block, lines) => {
    expect(linesOf(bytes(block))).toEqual(lines);
  });

  test("have U+FFFD for what is not UTF-8", () => {
    const block = Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xe2, 0x82, 0x0a]);
    expect(linesOf(block)).toEqual(["a\u{FFFD}b", "\u{FFFD}"]);
  });
});

/** All blocks, up to the end. */
function split(chunks: readonly Buffer[], maxBytes = 1_000): Buffer[] {
  const splitter = new LineSplitter(maxBytes);
  const blocks = chunks.map((chunk) => splitter.push(chunk));
  return [...blocks, splitter.end()].filter((block) => block !== undefined);
}

/** The model: what a line is, with all of the text at hand. */
function naive(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => line.replace(/\r$/, ""));
}

/** Of these sizes, over and over. */
function chunksOf(whole: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from < whole.length;) {
    const to = from + sizes[chunks.length % sizes.length]!;
    chunks.push(whole.subarray(from, to));
    from = to;
  }
  return chunks;
}

function bytes(text: string | Buffer): Buffer {
  return Buffer.from(text);
}
