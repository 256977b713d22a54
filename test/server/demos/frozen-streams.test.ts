/** Clients of the streams that stop reading: nothing grows behind them, and nothing is left of them. */
import { setImmediate as turn } from "node:timers/promises";
import { Hono } from "hono";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { CHAT_LOG } from "../../../server/demos/chat.ts";
import { demoRoutes } from "../../../server/demos/demos.ts";
import { streamStates } from "../../../server/demos/state-stream.ts";
import { Tickers } from "../../../server/demos/tickers.ts";
import { PushError } from "../../../server/errors.ts";
import { Hub } from "../../../server/hub.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import { until } from "../../support/until.ts";
import { FIGURES } from "./started-demos.ts";
import { StuckResponse } from "./stuck-response.ts";

afterEach(() => {
  vi.useRealTimers();
});

async function settled(): Promise<void> {
  for (let count = 0; count < 10; count += 1) await turn();
}

describe("a stream with a timer of its own", () => {
  function started() {
    vi.useFakeTimers();
    const tickers = new Tickers(1);
    const client = new StuckResponse();
    let tick = 0;
    tickers.start(client.asResponse, (stream) => stream.write(`${(tick += 1)}`), 1_000);
    return { tickers, client };
  }

  test("skips the ticks for which there is no room", async () => {
    const { client } = started();
    await settled();
    expect(client.written).toEqual(["1"]);
    vi.advanceTimersByTime(3_600_000);
    expect(client.written).toEqual(["1"]);
    client.drain();
    await settled();
    vi.advanceTimersByTime(5_000);
    expect(client.written).toEqual(["1", "2"]);
  });

  test("stops its timer and makes room when the client leaves", () => {
    const { tickers, client } = started();
    expect([tickers.size, vi.getTimerCount()]).toEqual([1, 1]);
    expect(() => tickers.start(new StuckResponse().asResponse, () => {}, 1_000)).toThrow(PushError);
    expect(vi.getTimerCount()).toBe(1);
    client.leave();
    expect([tickers.size, vi.getTimerCount()]).toEqual([0, 0]);
  });

  test("does not begin any more once the server stops", () => {
    const { tickers, client } = started();
    const reason = () => new PushError("shutting_down", "bye", { retryAfterMs: 7 });
    tickers.close(reason);
    expect(client.written.at(-1)).toMatch(/^retry: 7\n/);
    client.leave();
    const late = new StuckResponse();
    expect(() => tickers.start(late.asResponse, () => {}, 1_000)).toThrow("bye");
    expect(late.written).toEqual([]);
  });
});

describe("a stream of states", () => {
  async function started(options = {}) {
    const hub = new Hub(new MemoryStore(), { limits: { heartbeatMs: 1_000 } });
    onTestFinished(() => hub.close());
    await hub.publish("topic", 0);
    const client = new StuckResponse();
    await streamStates(client.asResponse, hub, { topic: "topic", ...options });
    await settled();
    return { hub, client };
  }

  test("writes nothing while there is no room, then only the newest", async () => {
    const { hub, client } = await started();
    expect(client.written).toEqual(["data: 0\n\n"]);
    for (let state = 1; state <= 1_000; state += 1) {
      await hub.publish("topic", state);
      if (state % 10 === 0) await turn();
    }
    await settled();
    expect(client.written).toHaveLength(1);
    client.drain();
    await settled();
    expect(client.written).toHaveLength(2);
    const states = [...client.written[1]!.matchAll(/^data: (\d+)$/gm)].map(([, text]) =>
      Number(text),
    );
    expect(states).toEqual(Array.from({ length: 16 }, (_, index) => 985 + index));
  });

  test.each([true, false])("has no heartbeat waiting either (steady: %j)", async (steady) => {
    vi.useFakeTimers({ toFake: ["setInterval", "setTimeout", "clearInterval", "clearTimeout"] });
    const { client } = await started({ steadyHeartbeat: steady });
    for (let count = 0; count < 10; count += 1) {
      vi.advanceTimersByTime(1_000);
      await settled();
    }
    expect(client.written).toEqual(["data: 0\n\n"]);
    client.leave();
    await settled();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("lets go of everything when the client leaves, and says so once", async () => {
    const onClose = vi.fn();
    const { hub, client } = await started({ onClose });
    expect(hub.stats().readers).toBe(1);
    client.leave();
    client.req.socket.destroy();
    await settled();
    expect(hub.stats().readers).toBe(0);
    expect(onClose).toHaveBeenCalledTimes(1);
  });

  test("leaves a client alone for a while after each write, if it is told to", async () => {
    const { hub, client } = await started({ pauseMs: () => 100 });
    const began = performance.now();
    client.drain();
    await hub.publish("topic", 1);
    await until(() => client.written.length === 2);
    expect(performance.now() - began).toBeGreaterThan(80);
  });
});

test("when the demos are closed none of their timers goes on", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const [hub, chatHub] = [new Hub(new MemoryStore()), new Hub(new MemoryStore(CHAT_LOG))];
  const sample = () => Promise.resolve(FIGURES);
  const demos = demoRoutes(new Hono(), { hub, chatHub, sample });
  expect(vi.getTimerCount()).toBe(2); // the dashboard and the feed
  demos.close(() => new PushError("shutting_down", "bye"));
  expect(vi.getTimerCount()).toBe(0);
  await hub.close();
});
