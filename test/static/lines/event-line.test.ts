/** Events in words. What is in them may come from anybody. */
import { describe, expect, it } from "vitest";
import { linesOf } from "../../../static/lines/event-line.ts";

const textOf = (name: string, data: unknown) => {
  const [line] = linesOf({ events: [{ offset: 1, time: 7, name, data }] });
  expect(line?.time).toBe(7);
  return line?.kind === "note" ? line.text : undefined;
};

describe("an event as a line", () => {
  it.each([
    [
      { code: 0, signal: null, restartInMs: 250 },
      "the program ended with exit code 0; it starts again in 0.25 s",
    ],
    [
      { code: null, signal: "SIGTERM", restartInMs: 30_000 },
      "the program was ended by SIGTERM; it starts again in 30 s",
    ],
    [{ code: 1, signal: null }, "the program ended with exit code 1"],
    [
      {
        code: null,
        signal: "SIGINT",
        message: "Expected lines of at most 5 bytes",
        restartInMs: 1_000,
      },
      "Expected lines of at most 5 bytes; it starts again in 1 s",
    ],
  ])("tells the end of a program: %j", (data, text) => {
    expect(textOf("exit", data)).toBe(text);
  });

  it.each([null, undefined, "text", 3, [], {}, { code: "3" }, { signal: 9 }])(
    "does not take %j for the end of a program",
    (data) => {
      expect(textOf("exit", data)).toBeUndefined();
    },
  );

  it("tells the end of a pipe, and knows it from an event of that name", () => {
    expect(textOf("end", null)).toBe("the input has ended");
    expect(textOf("end", "of the world")).toBeUndefined();
    expect(textOf("start", null)).toBeUndefined();
  });

  it.each([
    [1, "1 event missed"],
    [12_345, "12,345 events missed"],
    [null, "the topic began anew: nobody knows what was missed"],
  ])("comes after what was lost before it: %j", (missed, text) => {
    const lines = linesOf({
      events: [{ offset: 9, data: "next" }],
      gap: { missed, reason: missed === null ? "epoch" : "evicted" },
    });
    expect(lines).toEqual([
      { text, kind: "lost" },
      { text: "next", time: undefined, badge: undefined },
    ]);
  });
});
