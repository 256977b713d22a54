/** From bytes to lines: what `pipe` reads, and what it does to whoever is not read. */
import { PassThrough, Readable } from "node:stream";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { feed } from "../../../server/commands/pipe/feed.ts";
import { type Line, readLines } from "../../../server/commands/pipe/input.ts";
import { MAX_LINE_BYTES, NumberedLines } from "../../../server/commands/pipe/numbered-lines.ts";
import { WaitingLines } from "../../../server/commands/pipe/waiting-lines.ts";
import { keyThatIsLost } from "../../../server/commands/pipe/wire-keys.ts";

async function linesOf(chunks: readonly (string | Buffer)[], { json = false } = {}) {
  const lines: Line[] = [];
  const refused: [number, string][] = [];
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  const refuse = (number: number, why: string) => refused.push([number, why]);
  const stop = new AbortController().signal;
  for await (const block of readLines(stream, { json, stop, refuse })) lines.push(...block);
  return { lines, refused };
}

const dataOf = async (...chunks: (string | Buffer)[]) =>
  (await linesOf(chunks)).lines.map(({ data }) => data);

describe("a line is", () => {
  test.each([
    ["what a newline ends", ["a\nb\n"], ["a", "b"]],
    ["what CR LF ends", ["a\r\nb\r\n"], ["a", "b"]],
    ["empty too", ["\n\r\n\n"], ["", "", ""]],
    ["what the end of the input ends", ["a\nb"], ["a", "b"]],
    ["the same however it is cut up", ["a", "", "b\r", "\nc", "\n"], ["ab", "c"]],
    ["nothing when there is no input", [], []],
  ])("%s", async (_what, chunks, lines) => expect(await dataOf(...chunks)).toEqual(lines));

  test("UTF-8, also when a chunk ends in the middle of a character", async () => {
    const text = "añ€😀\n";
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(await dataOf(bytes.subarray(0, at), bytes.subarray(at))).toEqual(["añ€😀"]);
    }
    expect(await dataOf(Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xc3]))).toEqual(["a�b", "�"]);
  });

  test("JSON when that is asked for; what is none is told with its number", async () => {
    const { lines, refused } = await linesOf(['{"a":[1]}\n\n', " \t\r\n", "{\n", '"x"\r\n', "7"], {
      json: true,
    });
    expect(lines).toEqual([
      { number: 1, data: { a: [1] } },
      { number: 5, data: "x" },
      { number: 6, data: 7 },
    ]);
    expect(refused).toEqual([[4, expect.stringContaining("Expected JSON: ")]]);
  });
});

describe("a line over 1 MiB", () => {
  const long = "x".repeat(MAX_LINE_BYTES + 1);

  test("is told with its number and skipped, and those around it are read", async () => {
    for (const chunks of [
      [`a\n${long}\nb\n`],
      ["a\n", long, "\nb\n"],
      [`a\n${long.slice(0, 10)}`, long, long, long, "\nb"],
      ["a\n", long.slice(1), "x", "x\r", "\nb\n"],
    ]) {
      const { lines, refused } = await linesOf(chunks);
      expect(lines).toEqual([
        { number: 1, data: "a" },
        { number: 3, data: "b" },
      ]);
      expect(refused).toEqual([[2, `Expected lines of at most ${MAX_LINE_BYTES} bytes`]]);
    }
  });

  test("is told once when nothing follows it, and one byte less is a line", async () => {
    expect((await linesOf([long])).refused).toHaveLength(1);
    expect((await linesOf([`${long}\n`, long])).refused.map(([number]) => number)).toEqual([1, 2]);
    for (const end of ["", "\n", "\r\n"]) {
      const { lines, refused } = await linesOf([`${long.slice(1)}${end}`]);
      expect([lines.length, refused.length]).toEqual([1, 0]);
    }
  });

  test("changes nothing about the numbers, wherever the input is cut", () => {
    const word = fc.constantFrom("", "a", "bc", long, `${long}x`);
    const cuts = fc.array(fc.nat(3 * long.length), { maxLength: 4 });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 4 }), cuts, (words, at) => {
        const input = Buffer.from(words.map((text) => `${text}\n`).join(""));
        const places = [0, ...at.toSorted((a, b) => a - b), input.length];
        const told: number[] = [];
        const lines = new NumberedLines((number) => told.push(number));
        const got = places.flatMap((from, index) => {
          const chunk = input.subarray(from, Math.max(from, places[index + 1] ?? input.length));
          return lines.push(chunk);
        });
        const numbered = words.map((text, index) => ({ number: index + 1, text }));
        expect([...got, ...lines.end()]).toEqual(numbered.filter(({ text }) => text.length < 3));
        expect(told).toEqual(
          numbered.filter(({ text }) => text.length > 2).map(({ number }) => number),
        );
      }),
      { numRuns: 50 },
    );
  });
});

test("what was read before the stop is given, but not half a line, and nothing more is read", async () => {
  const stream = new PassThrough();
  const stop = new AbortController();
  const refuse = () => {};
  const blocks = readLines(stream, { json: false, stop: stop.signal, refuse });
  stream.write("a\n");
  expect([...((await blocks.next()).value as Iterable<Line>)]).toEqual([{ number: 1, data: "a" }]);
  stream.write("b\nc");
  stop.abort();
  expect([...((await blocks.next()).value as Iterable<Line>)]).toEqual([{ number: 2, data: "b" }]);
  expect((await blocks.next()).done).toBe(true);
});

test("what fails while it is read is thrown, after what had been read", async () => {
  const failing = new PassThrough();
  const { signal } = new AbortController();
  const blocks = readLines(failing, { json: false, stop: signal, refuse: () => {} });
  failing.write("a\n");
  expect([...((await blocks.next()).value as Iterable<Line>)]).toHaveLength(1);
  const next = blocks.next();
  failing.destroy(new Error("EIO"));
  await expect(next).rejects.toThrow("EIO");
});

describe("feeding a topic", () => {
  async function* one(count: number) {
    yield Array.from({ length: count }, (_, index) => ({ number: index + 1, data: index }));
  }

  test("lets everybody else have a turn, however many lines come at once", async () => {
    let [published, turns] = [0, 0];
    const publish = () => {
      published += 1;
      return "cursor";
    };
    const count = () => {
      turns += 1;
      if (published < 2_000_000) setImmediate(count);
    };
    setImmediate(count);
    await feed({ publish }, "topic", one(2_000_000), () => {});
    expect(published).toBe(2_000_000);
    expect(turns).toBeGreaterThan(2);
  });

  test("waits for a slow store, line by line, and asks for no more meanwhile", async () => {
    const store: (() => void)[] = [];
    const publish = () => new Promise<string>((resolve) => store.push(() => resolve("cursor")));
    const done = feed({ publish }, "topic", one(3), () => {});
    for (let line = 1; line <= 3; line += 1) {
      await expect.poll(() => store.length).toBe(line);
      store.at(-1)!();
    }
    await done;
  });
});

describe("the lines that wait", () => {
  const line = (number: number, bytes = 10) => ({ number, data: null, bytes });
  const numbers = (lines: readonly { number: number }[]) => lines.map(({ number }) => number);

  test("are bounded in number and in bytes: whoever adds waits until one is done", async () => {
    for (const bounds of [
      { lines: 3, bytes: 1_000 },
      { lines: 1_000, bytes: 30 },
    ]) {
      const waiting = new WaitingLines(bounds);
      expect([waiting.add(line(1)), waiting.add(line(2))]).toEqual([undefined, undefined]);
      const room = waiting.add(line(3));
      expect(room).toBeInstanceOf(Promise);
      waiting.drop(1);
      await room;
      expect(waiting.add(line(4))).toBeInstanceOf(Promise);
    }
  });

  test("are all let in when nothing more will be read", async () => {
    const waiting = new WaitingLines({ lines: 1, bytes: 1 });
    const room = waiting.add(line(1));
    waiting.open();
    await room;
    expect(waiting.add(line(2))).toBeUndefined();
    expect(waiting.size).toBe(2);
  });

  test("go out as many at once as fit, in order, but always one", () => {
    const waiting = new WaitingLines({ lines: 9, bytes: 1_000 });
    for (let number = 1; number <= 4; number += 1) void waiting.add(line(number));
    expect(numbers(waiting.first({ lines: 2, bytes: 100 }))).toEqual([1, 2]);
    for (const [bytes, count] of [
      [9, 1],
      [10, 1],
      [29, 2],
      [30, 3],
      [31, 3],
      [40, 4],
    ] as const) {
      expect(waiting.first({ lines: 9, bytes })).toHaveLength(count);
    }
    waiting.drop(3);
    expect(numbers(waiting.first({ lines: 9, bytes: 1 }))).toEqual([4]);
  });
});

test.each([
  [{ a: [{ constructor: 1 }] }, "constructor"],
  [JSON.parse('{"__proto__": 1}') as unknown, "__proto__"],
  [[{ toJSON: 1 }], "toJSON"],
  [{ a: [1, "constructor", null, { b: {} }] }, undefined],
])("finds the key that Cap'n Web would drop: %j", (data, key) => {
  expect(keyThatIsLost(data)).toBe(key);
});
