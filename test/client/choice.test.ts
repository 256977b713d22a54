import { describe, expect, it } from "vitest";
import { Choice, type Ended, type Memory } from "../../client/choice.ts";
import { closed, lost, protocolError, told, unreachable } from "../../client/failures.ts";
import { type Transport, TransportError } from "../../client/transport.ts";
import { ManualTime } from "./manual-time.ts";

const BETTER_MS = 5 * 60_000;
const LONG_MS = 10_000;

const transport = (name: string): Transport => ({ name, open: () => [] as never });
const [rpc, websocket, sse] = ["rpc", "websocket", "sse"].map(transport);

function choosing(memory: Memory = {}) {
  const time = new ManualTime();
  const choice = new Choice([rpc!, websocket!, sse!], { memory, now: time.now });
  const failed = (failure: TransportError, ended: Partial<Ended> = {}) =>
    choice.failed({ failure, livedMs: undefined, mayPass: failure.canRetry, ...ended });
  return { time, choice, failed };
}

const says = (code: string) => told({ code, message: code });
const status = (code: number) =>
  new TransportError(`http_${code}`, `${code}`, { canRetry: code >= 500 });

describe("Choice", () => {
  it("begins with the best, or with what has worked before", () => {
    expect(choosing().choice.current).toBe(rpc);
    expect(choosing({ name: "sse" }).choice.current).toBe(sse);
    expect(choosing({ name: "carrier-pigeon" }).choice.current).toBe(rpc);
  });

  it.each([
    ["nobody is there", unreachable(new TypeError("fetch failed"))],
    ["the session waits for its next try", says("not_connected")],
    ["the server stops", says("shutting_down")],
    ["the server is full", says("limit_exceeded")],
    ["the topic is not there yet", says("topic_not_found")],
  ])("stays, however often: %s", (_, failure) => {
    const { choice, failed } = choosing();
    for (let tries = 0; tries < 10; tries += 1) {
      expect(failed(failure, { mayPass: true })).toBeUndefined();
    }
    expect(choice.current).toBe(rpc);
  });

  it.each([
    ["the handshake fails", lost("The WebSocket handshake failed"), undefined],
    ["it says nothing in time", lost("The server has said nothing for 10 s"), undefined],
    ["somebody else answers", protocolError("Expected JSON"), undefined],
    ["somebody else answers with a 4xx", status(404), undefined],
  ])("moves on at once when it never gave anything: %s", (_, failure, livedMs) => {
    const { choice, failed } = choosing();
    expect(failed(failure, { livedMs, mayPass: true })).toBeUndefined();
    expect(choice.current).toBe(websocket);
    failed(failure, { livedMs, mayPass: true });
    failed(failure, { livedMs, mayPass: true });
    expect(choice.current).toBe(rpc); // and begins again
  });

  it.each([
    ["a 502", status(502), undefined],
    ["an error of the server's own", says("internal"), undefined],
    ["short lives", lost("The connection was lost"), LONG_MS - 1],
  ])("moves on at the third time: %s", (_, failure, livedMs) => {
    const { choice, failed } = choosing();
    failed(failure, { livedMs });
    failed(failure, { livedMs });
    expect(choice.current).toBe(rpc);
    failed(failure, { livedMs });
    expect(choice.current).toBe(websocket);
    failed(failure, { livedMs });
    expect(choice.current).toBe(websocket);
  });

  it("forgives everything to one that lived long", () => {
    const { choice, failed } = choosing();
    for (let tries = 0; tries < 10; tries += 1) {
      failed(lost("lost"), { livedMs: 10 });
      failed(lost("lost"), { livedMs: LONG_MS });
      expect(choice.current).toBe(rpc);
    }
  });

  it.each(["unauthorized", "forbidden", "invalid_cursor", "invalid_request", "topic_not_found"])(
    "gives up at once where the way does not matter: %s",
    (code) => {
      const { choice, failed } = choosing();
      const failure = says(code);
      expect(failed(failure)).toBe(failure);
      expect(choice.current).toBe(rpc);
    },
  );

  it.each([
    ["is answered by somebody else", status(403)],
    ["is refused the upgrade", says("upgrade_required")],
    ["is closed for good", closed(1008, "policy")],
    ["gets nonsense", protocolError("Expected JSON")],
  ])("gives up when none is left that can work, with the first reason: each %s", (_, failure) => {
    const { choice, failed } = choosing();
    expect(failed(failure)).toBeUndefined();
    expect(choice.current).toBe(websocket);
    expect(failed(protocolError("another"))).toBeUndefined();
    expect(choice.current).toBe(sse);
    expect(failed(protocolError("a third"))).toBe(failure);
  });

  it("passes over those that cannot work, until one of them does", () => {
    const { choice, failed } = choosing();
    failed(says("upgrade_required"));
    expect(choice.current).toBe(websocket);
    failed(lost("handshake"));
    failed(lost("silence"));
    expect(choice.current).toBe(websocket);
    choice.works(rpc!); // tried again beside it: the network is another one
    expect(choice.current).toBe(rpc);
    failed(lost("handshake"));
    failed(lost("silence"));
    failed(lost("silence"));
    expect(choice.current).toBe(rpc);
  });

  it("remembers what works for the subscriptions to come", () => {
    const memory: Memory = {};
    const { choice, failed } = choosing(memory);
    failed(lost("handshake"));
    expect(memory.name).toBeUndefined();
    expect(choice.works(choice.current)).toBe(false);
    expect(memory.name).toBe("websocket");
    expect(choosing(memory).choice.current).toBe(websocket);
  });
});

describe("a better one", () => {
  it("is due five minutes after the choice, and five minutes after each look", () => {
    const { time, choice, failed } = choosing();
    expect(choice.betterInMs).toBeUndefined();
    expect(choice.better()).toBeUndefined();
    failed(lost("handshake"));
    failed(lost("handshake"));
    expect(choice.betterInMs).toBe(BETTER_MS);
    time.advance(BETTER_MS + 1);
    expect(choice.betterInMs).toBe(0);
    expect([choice.better(), choice.better(), choice.better()]).toEqual([rpc, websocket, rpc]);
    expect(choice.betterInMs).toBe(BETTER_MS);
    expect(choice.current).toBe(sse);
  });

  it("is the current one when it works, and a still better one has its turn later", () => {
    const { time, choice, failed } = choosing();
    failed(lost("handshake"));
    failed(lost("handshake"));
    time.advance(BETTER_MS);
    expect(choice.works(websocket!)).toBe(true);
    expect(choice.current).toBe(websocket);
    expect(choice.betterInMs).toBe(BETTER_MS);
    expect(choice.works(rpc!)).toBe(true);
    expect(choice.betterInMs).toBeUndefined();
  });
});
