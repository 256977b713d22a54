import { describe, expect, it } from "vitest";
import { CAN_RETRY, closed, refused, rejected, told } from "../../client/failures.ts";
import { ERRORS, PushError } from "../../server/errors.ts";
import { closeReason } from "../../server/wire/close-reason.ts";

const CODES = Object.keys(ERRORS) as (keyof typeof ERRORS)[];

describe("whether trying again can help", () => {
  it.each(CODES)("is what the server's table says of %s, however it is told", (code) => {
    const { status, close, retry } = ERRORS[code];
    const error = new PushError(code, "because", { retryAfterMs: 750 });
    const { message, retryAfterMs } = error;
    const words = { code, message, retryAfterMs };
    const body = JSON.stringify({ error: words });
    expect(CAN_RETRY[code]).toBe(retry);
    for (const failure of [
      told(words),
      refused(new Response(null, { status }), body),
      closed(close, closeReason(error)),
      rejected(Object.assign(new Error(message), words)),
    ]) {
      expect(failure).toMatchObject({ ...words, canRetry: retry });
    }
  });

  it.each([
    [400, false],
    [404, false],
    [408, true],
    [425, true],
    [429, true],
    [499, false],
    [500, true],
    [502, true],
    [503, true],
    [204, false],
    [301, false],
  ])("is known from a status alone: %d", (status, canRetry) => {
    const failure = refused(new Response(null, { status }), "<html>");
    expect(failure).toMatchObject({ code: `http_${status}`, canRetry });
  });

  it.each([
    [1000, true],
    [1001, true],
    [1002, false],
    [1005, true],
    [1006, true],
    [1008, false],
    [1009, false],
    [1011, true],
    [1013, true],
    [4400, false],
    [4499, false],
    [4500, true],
  ])("is known from a close code alone: %d", (code, canRetry) => {
    expect(closed(code, "")).toMatchObject({ canRetry });
  });

  it("is taken for granted for a code of a later server", () => {
    expect(told({ code: "too_hot", message: "wait" })).toMatchObject({ canRetry: true });
    expect(told({ code: "constructor" })).toMatchObject({ code: "constructor", canRetry: true });
  });
});

describe("when to come back", () => {
  it.each([
    ["7", 7_000],
    ["0", 0],
    ["soon", undefined],
  ])("is read from `Retry-After: %s`", (text, retryAfterMs) => {
    const response = new Response(null, { status: 503, headers: { "Retry-After": text } });
    expect(refused(response, "").retryAfterMs).toBe(retryAfterMs);
  });

  it("is read from a date", () => {
    const date = new Date(Date.now() + 60_000).toUTCString();
    const { retryAfterMs } = refused(
      new Response(null, { status: 503, headers: { "Retry-After": date } }),
      "",
    );
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it.each([-1, "1", null, Number.NaN])("is not %j, which is no time", (retryAfterMs) => {
    expect(told({ code: "internal", message: "", retryAfterMs }).retryAfterMs).toBeUndefined();
  });
});

describe("what is no error of this server's", () => {
  it.each([null, undefined, 7, "text", [], {}, { code: 7 }])("%j is a protocol error", (words) => {
    expect(told(words)).toMatchObject({ code: "protocol_error", canRetry: false });
  });
});
