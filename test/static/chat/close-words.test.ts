import { describe, expect, it } from "vitest";
import { closingOf } from "../../../static/chat/close-words.ts";

describe("why a socket was closed", () => {
  it.each([
    [1013, "too slow"],
    [1009, "512 KiB"],
    [1012, "restarting"],
    [1011, "Something went wrong"],
  ])("with %d is told in words", (code, words) => {
    expect(closingOf({ code, reason: "" }, true).words).toContain(words);
  });

  it("is the server's own word where this page has none", () => {
    const reason = JSON.stringify({ code: "forbidden", message: "not from there" });
    expect(closingOf({ code: 4403, reason }, true).words).toBe("not from there");
  });

  it("is not known when no close frame came", () => {
    expect(closingOf({ code: 1006, reason: "" }, true).words).toBe("The connection was lost");
    expect(closingOf({ code: 1006, reason: "" }, false).words).toBe("The server cannot be reached");
  });

  it("says when to come back, within reason", () => {
    const after = (reason: string) => closingOf({ code: 1012, reason }, true).retryAfterMs;
    expect(after('{"retryAfterMs":4200}')).toBe(4_200);
    expect(after('{"retryAfterMs":1e99}')).toBe(300_000);
    for (const reason of ["", "null", "7", "{}", '{"retryAfterMs":-1}', '{"retryAfterMs":"5"}']) {
      expect(after(reason)).toBe(0);
    }
  });
});
