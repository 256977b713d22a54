import { describe, expect, it } from "vitest";
import { bytesOf, decodeMessage, encodeMessage, isAck } from "../../../static/chat/chat-message.ts";

describe("a chat message", () => {
  it("comes back as it was", () => {
    const message = { id: "1-2", name: "Ada", text: '<b>Hello</b>\n"you"' };
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  it("of another client is shown as well", () => {
    const seed = '{"type":"message","text":"Hello!"}';
    expect(decodeMessage(seed)).toEqual({ id: undefined, name: "Someone", text: "Hello!" });
  });

  it.each([
    '{"type":"update","data":"live score changed"}',
    "plain text",
    "",
    "null",
    "42",
    "[1]",
    '{"text":42}',
    '{"text":{"toString":null}}',
    '{"__proto__":{"text":"x"}}',
  ])("that is none is shown as it came: %s", (frame) => {
    expect(decodeMessage(frame)).toEqual({ id: undefined, name: "Someone", text: frame });
  });

  it("is cut when it would fill the page", () => {
    const { text, name } = decodeMessage(
      JSON.stringify({ name: "N".repeat(1_000), text: "x".repeat(500_000) }),
    );
    expect(name).toHaveLength(40);
    expect(text).toBe(`${"x".repeat(4_000)}… (500,000 characters in all)`);
  });

  it("is measured in bytes", () => {
    expect(bytesOf("é😀")).toBe(6);
  });

  it("is told from an acknowledgement", () => {
    expect(isAck('{"type":"ack"}')).toBe(true);
    expect(isAck('{"type":"message","text":"ack"}')).toBe(false);
    expect(isAck("ack")).toBe(false);
  });
});
