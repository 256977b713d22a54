import fc from "fast-check";
import { createParser } from "eventsource-parser";
import { describe, expect, it } from "vitest";
import { EventStreamParser } from "../../client/event-stream.ts";
import { property } from "../support/property.ts";

type Told =
  | readonly ["event", string, string | undefined, string | undefined]
  | readonly ["id", string]
  | readonly ["retry", number]
  | readonly ["comment", string];

/** Everything that is told of a stream which comes in these chunks. */
function parse(chunks: readonly string[], maxChars?: number): Told[] {
  const told: Told[] = [];
  const parser = new EventStreamParser(
    {
      onEvent: (data, name, id) => told.push(["event", data, name, id]),
      onId: (id) => told.push(["id", id]),
      onRetry: (ms) => told.push(["retry", ms]),
      onComment: (text) => told.push(["comment", text]),
    },
    maxChars === undefined ? {} : { maxChars },
  );
  for (const chunk of chunks) parser.push(chunk);
  return told;
}

/** What the package says of the same stream. It tells an id with its own event only. */
function parseWithPackage(text: string): Told[] {
  const told: Told[] = [];
  let id: string | undefined;
  const parser = createParser({
    onEvent: (event) => {
      id = event.id ?? id;
      told.push(["event", event.data, event.event, id]);
    },
    onRetry: (ms) => told.push(["retry", ms]),
    onComment: (comment) => told.push(["comment", comment]),
  });
  // It waits behind a last CR for an LF; the colon is neither, and begins a line without an end.
  parser.feed(`${text}:`);
  return told;
}

/** Streams that are full of what matters: line ends, colons, spaces, fields, NUL, other letters. */
const pieces = fc.array(
  fc.oneof(
    fc.constantFrom("\r", "\n", "\r\n", "\n\n", ":", " ", "\0", "\uFEFF", "é", "💡", "0", "x"),
    fc.constantFrom("data", "data:", "data: ", "id:1", "id", "event:", "event: a", "retry:", "12"),
    fc.constantFrom(": heartbeat\n\n", "id: e.7\n", "data: {}\n\n", "Data:x\n", " data: x\n"),
  ),
  { maxLength: 60 },
);

function cut(text: string, places: readonly number[]): string[] {
  const at = places.map((place) => place % (text.length + 1)).toSorted((a, b) => a - b);
  return [0, ...at].map((start, index) => text.slice(start, at[index] ?? text.length));
}

const places = fc.array(fc.nat(), { maxLength: 20 });

describe("EventStreamParser", () => {
  it("says what eventsource-parser says, whatever the stream and however it is cut", () =>
    property(
      [pieces, places],
      (parts, cuts) => {
        const text = parts.join("");
        expectSame(parse(cut(text, cuts)), text);
      },
      { runs: 3_000 },
    ));

  it("says what eventsource-parser says of random bytes, cut anywhere", () =>
    property(
      [fc.uint8Array({ maxLength: 300 }), places],
      (bytes, cuts) => {
        const few = bytes.map((byte) => ALPHABET[byte % ALPHABET.length]!);
        const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
        const at = cuts.map((place) => place % (few.length + 1)).toSorted((a, b) => a - b);
        const chunks = [0, ...at].map((start, index) =>
          decoder.decode(few.subarray(start, at[index] ?? few.length), { stream: true }),
        );
        expectSame(parse(chunks), chunks.join(""));
      },
      { runs: 3_000 },
    ));

  it("says the same however the stream is cut", () =>
    property([pieces, places], (parts, cuts) => {
      const text = parts.join("");
      expect(parse(cut(text, cuts))).toEqual(parse([text]));
      expect(parse([...text])).toEqual(parse([text]));
    }));

  it.each<[string, string, Told[]]>([
    [
      "joins data lines",
      "data: a\ndata:b\ndata:  c\n\n",
      [["event", "a\nb\n c", undefined, undefined]],
    ],
    [
      "keeps empty data",
      "data\n\ndata\ndata\n\n",
      [
        ["event", "", undefined, undefined],
        ["event", "\n", undefined, undefined],
      ],
    ],
    ["drops what has no end", "data: a\n\ndata: b\n", [["event", "a", undefined, undefined]]],
    [
      "keeps the id for later events",
      "id: 1\ndata: a\n\ndata: b\n\n",
      [
        ["event", "a", undefined, "1"],
        ["event", "b", undefined, "1"],
      ],
    ],
    [
      "forgets the name with its event",
      "event: x\ndata: a\n\ndata: b\n\n",
      [
        ["event", "a", "x", undefined],
        ["event", "b", undefined, undefined],
      ],
    ],
    [
      "tells an id that comes alone",
      "retry: 5\nid: e.0\n\ndata: a\n\n",
      [
        ["retry", 5],
        ["id", "e.0"],
        ["event", "a", undefined, "e.0"],
      ],
    ],
    [
      "drops the name of a block without data",
      "event: x\n\ndata: a\n\n",
      [["event", "a", undefined, undefined]],
    ],
    [
      "ignores an id with a NUL",
      "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
      [
        ["event", "a", undefined, "1"],
        ["event", "b", undefined, "1"],
      ],
    ],
    [
      "takes an empty id",
      "id: 1\n\nid\ndata: a\n\n",
      [
        ["id", "1"],
        ["event", "a", undefined, ""],
      ],
    ],
    [
      "ignores a retry that is no number",
      "retry: 1s\nretry:\nretry: -1\nretry: 010\n",
      [["retry", 10]],
    ],
    ["ignores other fields", "Data: a\nfoo: b\n\n data: c\n\n", []],
    [
      "drops one space",
      "data:  a\n\n:  b\n",
      [
        ["event", " a", undefined, undefined],
        ["comment", " b"],
      ],
    ],
    [
      "drops one byte order mark",
      "\uFEFFdata: a\n\n\uFEFFdata: b\n\n",
      [["event", "a", undefined, undefined]],
    ],
    [
      "ends lines with CR",
      "data: a\r\rdata: b\r\n\r\n",
      [
        ["event", "a", undefined, undefined],
        ["event", "b", undefined, undefined],
      ],
    ],
  ])("%s", (_, text, told) => {
    expect(parse([text])).toEqual(told);
    expect(parse([...text])).toEqual(told);
  });

  it("does not wait for the LF after a CR", () => {
    expect(parse(["data: a\r\r"])).toHaveLength(1);
  });

  it.each(["\n", "\r", "\r\n"])("refuses an event that is too long, lines ended by %j", (end) => {
    const fits = `data: ${"x".repeat(94)}`;
    expect(parse([fits, `${end}${end}`], 100)).toHaveLength(1);
    expect(() => parse([`${fits}x`], 100)).toThrow(RangeError);
    const line = `data: ${"x".repeat(30)}${end}`;
    expect(() => parse([line, line, line, line], 100)).toThrow(RangeError);
  });

  it("takes a long line in many chunks in no more time than its length", () => {
    const chunks = Array.from({ length: 100_000 }, () => "xxxxxxxxxx");
    const [event] = parse(["data:", ...chunks, "\n\n"]);
    expect(event?.[1]).toHaveLength(1_000_000);
  });
});

const ALPHABET = [
  ...new TextEncoder().encode("data:id event retry 12\n\n\n\r\r\0:x\uFEFFé💡"),
  0xff,
];

/**
 * The package knows an id only with its own event: where one came alone, ids cannot be compared. And
 * it takes a byte order mark for one only as three letters.
 */
function expectSame(told: readonly Told[], text: string): void {
  const idsAlone = told.some(([kind]) => kind === "id");
  const comparable = (all: readonly Told[]) =>
    all
      .filter(([kind]) => kind !== "id")
      .map((one) => (one[0] === "event" && idsAlone ? one.slice(0, 3) : one));
  expect(comparable(told)).toEqual(comparable(parseWithPackage(text.replace(/^\uFEFF/, ""))));
}
