/** Bytes in pieces of any size, as lines. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChunkLines } from "../../../static/exec/chunk-lines.ts";
import { property } from "../../support/property.ts";

/** What the log shows in the end. */
function start() {
  const shown: string[] = [];
  const chunks = new ChunkLines({
    add: ({ text }) => void shown.push(text),
    replaceLast: ({ text }) => void (shown[shown.length - 1] = text),
  });
  return {
    shown,
    breakLine: () => chunks.breakLine(),
    take: (bytes: Uint8Array) => chunks.take(new Uint8Array(bytes).buffer),
  };
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe("a program's bytes as lines", () => {
  it("are the same, however they were cut", async () => {
    const text = fc.string({ unit: fc.constantFrom("a", "\n", "\r\n", "€", "👩", " ") });
    await property([text, fc.array(fc.nat(12))], (output, sizes) => {
      const { shown, take } = start();
      let rest = bytesOf(output);
      for (const size of [...sizes, rest.length]) {
        take(rest.subarray(0, size));
        rest = rest.subarray(size);
      }
      take(rest);
      const expected = output.replace(/\n$/, "").split("\n");
      expect(shown).toEqual(output === "" ? [] : expected.map((line) => line.replace(/\r$/, "")));
    });
  });

  it("are shown before their line has ended", () => {
    const { shown, take } = start();
    take(bytesOf("Name"));
    expect(shown).toEqual(["Name"]);
    take(bytesOf(": "));
    expect(shown).toEqual(["Name: "]);
    take(bytesOf("\nnext\n"));
    expect(shown).toEqual(["Name: ", "next"]);
  });

  it("begin a line of their own after what the user has said", () => {
    const { shown, take, breakLine } = start();
    take(bytesOf("Name: "));
    breakLine();
    take(bytesOf("Hello\n"));
    expect(shown).toEqual(["Name: ", "Hello"]);
  });

  it("are never one endless line", () => {
    const { shown, take } = start();
    for (let times = 0; times < 20; times += 1) take(bytesOf("x".repeat(8_000)));
    expect(shown).toEqual(Array.from({ length: 10 }, () => "x".repeat(16_000)));
  });

  it("that are no UTF-8 are replaced", () => {
    const { shown, take } = start();
    take(Uint8Array.of(0x61, 0xff, 0x62, 0x0a));
    expect(shown).toEqual(["a\ufffdb"]);
  });
});
