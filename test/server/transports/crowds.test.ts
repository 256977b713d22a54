/**
 * Thousands come at once and half of them are cut off without a word (RST, as by a crash or a NAT
 * box): the others notice nothing, and nothing of those that left stays behind.
 */
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Batch } from "../../../server/contract.ts";
import { openChunks } from "../../support/chunks.ts";
import { type PublishingServer, startPublishingServer } from "../../support/publishing-server.ts";
import { eventsToBatch, linesToBatch } from "../../support/topic-readers.ts";
import { numbers } from "../../transport-contract.ts";

const EVENTS = 10; // in each round
const AT_ONCE = 250; // connections being opened
// What each may leave behind in the heap after both rounds: the collector's mood. A subscription
// with its listeners takes more than 1 KiB.
const BYTES_PER_CLIENT = 300;

interface Member {
  readonly socket: Socket;
  /** The next batch. */
  next(): Promise<Batch>;
}

type Join = (server: PublishingServer, after: string) => Promise<Member>;

const stream =
  (accept: string, makeDecode: () => (chunk: string) => Batch | undefined): Join =>
  async ({ url }, after) => {
    const decode = makeDecode();
    const answer = await openChunks(`${url}/topics/topic?after=${after}`, { Accept: accept });
    const next = async () => {
      for (;;) {
        const batch = decode((await answer.next())!);
        if (batch) return batch;
      }
    };
    return { socket: answer.socket, next };
  };

const webSocket: Join = async ({ url }, after) => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const frames = new WebSocket(`${url.replace(/^http/, "ws")}/topics/topic?after=${after}`, {
    createConnection: () => socket,
  });
  const inbox: Batch[] = [];
  let wake = () => {};
  frames.on("message", (frame) => {
    inbox.push(JSON.parse((frame as Buffer).toString()) as Batch);
    wake();
  });
  const next = async () => {
    while (inbox.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return inbox.shift()!;
  };
  await new Promise<void>((resolve, reject) => {
    frames.once("open", resolve);
    frames.once("error", reject);
  });
  frames.on("error", () => {}); // it is going to be reset
  return { socket, next };
};

const longPoll: Join = async ({ url }, after) => {
  const ask = (cursor: string) => {
    const outgoing = request(`${url}/topics/topic?wait=30&after=${cursor}`, { agent: false });
    const answer = new Promise<Batch>((resolve, reject) => {
      outgoing.once("error", reject);
      outgoing.once("response", (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.once("end", () => resolve(JSON.parse(text) as Batch));
        response.once("error", reject);
      });
    });
    answer.catch(() => {}); // it is going to be reset
    outgoing.end();
    return { outgoing, answer };
  };
  let held = ask(after);
  const socket = await new Promise<Socket>((resolve) => {
    held.outgoing.once("socket", (found) => found.once("connect", () => resolve(found)));
  });
  const next = async () => {
    const batch = await held.answer;
    held = ask(batch.cursor);
    return batch;
  };
  return {
    get socket() {
      return held.outgoing.socket ?? socket;
    },
    next,
  };
};

test.each<[number, string, Join]>([
  [5_000, "SSE", stream("text/event-stream", eventsToBatch)],
  [500, "NDJSON", stream("application/x-ndjson", () => linesToBatch)],
  [500, "WebSocket", webSocket],
  [500, "long-polling", longPoll],
])("%i clients over %s, half of them reset, leave nothing behind", async (count, _name, join) => {
  const server = await startPublishingServer({});
  await round(server, join, count, 0);
  const before = await server.memory();
  await round(server, join, count, EVENTS);
  expect((await server.memory()) - before).toBeLessThan(count * BYTES_PER_CLIENT + 512 * 1024);
  expect(server.complaints()).toBe("");
});

/** `count` clients come, half of them are reset, the others get what is published, all leave. */
async function round(
  server: PublishingServer,
  join: Join,
  count: number,
  published: number,
): Promise<void> {
  const after = await newest(server);
  const members: Member[] = [];
  while (members.length < count) {
    const joining = Array.from({ length: AT_ONCE }, () => join(server, after));
    members.push(...(await Promise.all(joining)));
  }
  const readers = async () => (await server.stats()).readers;
  await expect.poll(readers).toBe(count);

  const reset = members.filter((_, index) => index % 2 === 0);
  const staying = members.filter((_, index) => index % 2 === 1);
  for (const { socket } of reset) socket.resetAndDestroy();
  await expect.poll(readers).toBe(count / 2);

  const reading = staying.map(async ({ next }) => {
    const offsets: number[] = [];
    while (offsets.length < EVENTS) offsets.push(...(await next()).events.map((e) => e.offset));
    return offsets;
  });
  await server.publish({ count: EVENTS, bytes: 100, perTurn: 2 });
  const expected = numbers(published + 1, published + EVENTS);
  for (const offsets of await Promise.all(reading)) expect(offsets).toEqual(expected);
  await expect.poll(readers).toBe(count / 2);

  for (const { socket } of staying) socket.resetAndDestroy();
  await expect.poll(readers).toBe(0);
}

async function newest({ url }: PublishingServer): Promise<string> {
  const answer = await fetch(`${url}/topics/topic`);
  return ((await answer.json()) as Batch).cursor;
}
