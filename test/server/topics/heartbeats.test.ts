/** Signs of life, both ways: what an idle reader hears, and what becomes of a peer that says nothing. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { Batch } from "../../../server/contract.ts";
import { openChunks } from "../../support/chunks.ts";
import { openFrames } from "../../support/frames.ts";
import { startPublishingServer } from "../../support/publishing-server.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { NDJSON, SSE } from "../../support/topic-requests.ts";
import { until } from "../../support/until.ts";

const socketUrl = ({ url }: { url: string }) => `${url.replace(/^http/, "ws")}/topics/topic`;

async function open({ url }: LocalServer, headers: Record<string, string>) {
  const answer = await openChunks(`${url}/topics/topic`, headers);
  onTestFinished(() => void answer.socket.destroy());
  return answer;
}

/** What a WebSocket in a thread of its own hears, which answers pings while this one stands still. */
function eventsElsewhere(url: string): readonly string[] {
  const events: string[] = [];
  const program = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { WebSocket } = require("ws");
    const socket = new WebSocket(workerData);
    for (const name of ["open", "close"]) socket.on(name, () => parentPort.postMessage(name));
    socket.on("message", (data) => parentPort.postMessage(String(data)));`;
  const worker = new Worker(program, { eval: true, workerData: url });
  worker.on("message", (event: string) => events.push(event));
  onTestFinished(async () => void (await worker.terminate()));
  return events;
}

describe("an idle reader hears", () => {
  test("a comment on SSE, and its place does not change", async () => {
    const server = await startedLocal({ limits: { heartbeatMs: 30 } });
    const { next } = await open(server, SSE);
    expect(await next()).toMatch(/^retry: /);
    for (let beat = 0; beat < 3; beat += 1) expect(await next()).toBe(": heartbeat\n\n");
    const cursor = await server.hub.publish("topic", 1);
    let text = await next();
    while (text === ": heartbeat\n\n") text = await next();
    expect(text).toBe(`id: ${cursor}\ndata: 1\n\n`);
    expect(await next()).toBe(": heartbeat\n\n");
  });

  test("a blank line on NDJSON", async () => {
    const server = await startedLocal({ limits: { heartbeatMs: 30 } });
    const { next } = await open(server, NDJSON);
    for (let beat = 0; beat < 3; beat += 1) expect(await next()).toBe("\n");
  });

  test("an empty batch on a WebSocket, with its place", async () => {
    const server = await startedLocal({ limits: { heartbeatMs: 30 } });
    const { next } = await openFrames(socketUrl(server));
    const first = await next();
    expect(first).toMatchObject({ events: [] });
    for (let beat = 0; beat < 3; beat += 1) expect(await next()).toEqual(first);
  });

  test("nothing before its time, and nothing while events come", async () => {
    const server = await startedLocal({ limits: { heartbeatMs: 2_000 } });
    const begun = performance.now();
    const { next } = await open(server, NDJSON);
    let silent = begun; // since before the last event, so that a slow machine only adds to it
    for (let number = 1; performance.now() - begun < 3_000; number += 1) {
      silent = performance.now();
      await server.hub.publish("topic", number);
      expect(await next()).toContain(`"offset":${number}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await next()).toBe("\n");
    expect(performance.now() - silent).toBeGreaterThan(1_990);
  });

  test("nothing on SSE for half a minute by default", async () => {
    const { limits } = (await startedLocal()).hub;
    expect(limits).toMatchObject({ heartbeatMs: 30_000, pingMs: 54_000, pongMs: 60_000 });
  });
});

describe("a WebSocket's pings", () => {
  test("come from the server, and whoever answers them stays", async () => {
    const server = await startedLocal({ limits: { pingMs: 50, pongMs: 2_000 } });
    const { socket, next } = await openFrames(socketUrl(server));
    const begin = performance.now();
    while (performance.now() - begin < 2_500) await once(socket, "ping");
    await next();
    await server.hub.publish("topic", 1);
    expect(await next()).toMatchObject({ events: [{ offset: 1 }] });
  });

  test("drop a peer that does not answer them", async () => {
    const server = await startedLocal({ limits: { pingMs: 15, pongMs: 60 } });
    const { closed } = await openFrames(socketUrl(server), { autoPong: false });
    expect(server.app.stats().readers).toBe(1);
    expect((await closed).code).toBe(1006); // cut, without a word: it would not hear it
    await expect.poll(() => server.app.stats().readers).toBe(0);
  });

  test("do not drop a peer before its time, nor for one answer that is late", async () => {
    const server = await startedLocal({ limits: { pingMs: 15, pongMs: 5_000 } });
    const { socket } = await openFrames(socketUrl(server), { autoPong: false });
    let pings = 0;
    socket.on("ping", () => {
      if ((pings += 1) % 5 === 0) socket.pong();
    });
    await until(() => pings >= 20);
    expect(socket.readyState).toBe(WebSocket.OPEN);
  });

  test("do not drop a peer whose answer came while the server stood still", async () => {
    const server = await startedLocal({ limits: { pingMs: 20, pongMs: 100 } });
    const events = eventsElsewhere(socketUrl(server));
    await until(() => events.includes("open"));
    for (let round = 0; round < 20; round += 1) {
      const end = performance.now() + 150;
      while (performance.now() < end);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await server.hub.publish("topic", "still there");
    await until(() => /still there|close/.test(events.join()));
    expect(events).not.toContain("close");
  });

  test("are answered, with what they carry", async () => {
    const server = await startedLocal();
    const { socket } = await openFrames(socketUrl(server));
    socket.ping("are you there?");
    expect(String((await once(socket, "pong"))[0])).toBe("are you there?");
  });

  test("in a flood, from a peer that never reads, cost a bounded memory; later it gets its events", async () => {
    const server = await startPublishingServer({ store: { historyEvents: 100_000 } });
    const { socket } = await openFrames(socketUrl(server));
    let last = 0;
    socket.on("message", (frame) => {
      const { events } = JSON.parse((frame as Buffer).toString()) as Batch;
      for (const { offset } of events) {
        expect(offset).toBe(last + 1);
        last = offset;
      }
    });
    await server.publish({ count: 1, bytes: 10, perTurn: 1 });
    await until(() => last === 1);
    const before = await server.memory();
    socket.pause();
    // 60 MB of pongs, were all of them answered, and events among them.
    const ping = Buffer.alloc(125);
    for (let round = 0; round < 120; round += 1) {
      for (let count = 0; count < 4_000; count += 1) socket.ping(ping);
      await server.publish({ count: 1, bytes: 2_000, perTurn: 1 });
      await until(() => socket.bufferedAmount < 1024 * 1024);
    }
    await until(() => socket.bufferedAmount === 0);
    // 1 MiB of pongs that wait, in small pieces that cost some 500 bytes more each.
    expect((await server.memory()) - before).toBeLessThan(8 * 1024 * 1024);
    socket.resume();
    await until(() => last === 121);
    await server.publish({ count: 1, bytes: 10, perTurn: 1 });
    await until(() => last === 122);
  });
});
