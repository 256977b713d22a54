/** The ends of a program's WebSocket, in words. */
import { describe, expect, it } from "vitest";
import { endingOf } from "../../../static/exec/ending.ts";

describe("the end of a program's WebSocket", () => {
  it.each([
    [1000, "", "The program has ended"],
    [
      1011,
      '{"code":"program_failed","message":"the program ended with exit code 3"}',
      "the program ended with exit code 3",
    ],
    [1011, "", "The program failed"],
    [1011, "no JSON", "The program failed"],
    [1011, "null", "The program failed"],
    [1011, '{"message":{}}', "The program failed"],
    [1009, "", "A line was too long"],
    [1012, "", "The server has stopped, and the program with it"],
    [1013, "", "Too many programs run already"],
    [1006, "", "The connection was lost, and the program with it"],
    [4999, "", "The connection was lost, and the program with it"],
  ])("is told: %i %s", (code, reason, words) => {
    expect(endingOf({ code, reason }, true)).toEqual({ words, isGood: code === 1000 });
  });

  it("before its beginning is a refusal", () => {
    const words = "The server refused to run it, or cannot be reached";
    expect(endingOf({ code: 1006, reason: "" }, false)).toEqual({ words, isGood: false });
  });
});
