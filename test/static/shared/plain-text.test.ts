/** What a terminal would do with a program's output, as text. */
import { describe, expect, it } from "vitest";
import { plainText } from "../../../static/shared/plain-text.ts";

describe("a program's output as text", () => {
  it.each([
    ["nothing special", "äöü 你好 👩‍🚀 <b>", "äöü 你好 👩‍🚀 <b>"],
    ["tabs and line breaks", "a\tb\nc", "a\tb\nc"],
    ["colours", "\u001b[1;31mred\u001b[0m, \u001b[38:2::255:0:0mtoo\u001b[m", "red, too"],
    ["movements of the cursor", "\u001b[2J\u001b[10;5Hhere\u001b[K\u001b[?25l", "here"],
    ["one byte for two", "\u009b1mbold\u009b0m", "bold"],
    ["titles", "\u001b]0;my title\u0007text\u001b]2;other\u001b\\.", "text."],
    ["links", "\u001b]8;;http://x/\u001b\\here\u001b]8;;\u001b\\", "here"],
    ["short sequences", "\u001b(Ba\u001b7b\u001bMc\u001b=", "abc"],
    ["those that never end", "a\u001b[12;3", "a"],
    ["strings that never end", "a\u001bPq#0;2;0", "a"],
    ["a lone escape at the end", "a\u001b", "a"],
    ["other controls", "a\u0000b\u0008c\u007fd\u0085e\u0007", "abcde"],
    ["what a carriage return overwrites", " 1 %\r50 %\r99 %", "99 %"],
    ["a carriage return at the end", "done\r", "done"],
    ["a bar that clears its line", "50 %\r\u001b[K", "50 %"],
    ["several lines of that", "a\rb\r\nc\rd", "b\nd"],
    ["nothing", "", ""],
  ])("leaves %s as a reader wants it", (_, output, text) => {
    expect(plainText(output)).toBe(text);
  });

  it("is cut when it is too long to be read", () => {
    expect(plainText("x".repeat(4_000))).toBe("x".repeat(4_000));
    expect(plainText("x".repeat(4_001))).toBe(`${"x".repeat(4_000)}… (4,001 characters in all)`);
    const coloured = "\u001b[31mx\u001b[0m".repeat(1_000);
    expect(plainText(coloured)).toBe("x".repeat(1_000));
    expect(plainText("\u001b[0m".repeat(100_000))).toBe("… (400,000 characters in all)");
  });

  it.each(["\u001b", "\u001b[", "\u001b[0", "\u001b]x", "\u009b", "\r", "\u001bP\u001b\\"])(
    "has none of a million %j left",
    (piece) => {
      expect(plainText(piece.repeat(1_000_000))).toMatch(/^… \([\d,]+ characters in all\)$/);
    },
  );
});
