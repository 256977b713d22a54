/**
 * Promises 7 and 8: a client that stops reading costs a bounded amount of memory and delays nobody,
 * and when it wakes it is told exactly what it missed.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import type { Batch } from "../../../server/contract.ts";
import { openChunks } from "../../support/chunks.ts";
import { openFrames } from "../../support/frames.ts";
import { type PublishingServer, startPublishingServer } from "../../support/publishing-server.ts";
import { openSocket, type SocketClient } from "../../support/rpc.ts";
import { eventsToBatch, linesToBatch } from "../../support/topic-readers.ts";
import { openTcp } from "../../support/wire.ts";

const EVENT_BYTES = 20_000;
const EVENTS = 5_008; // × 20 kB = 100 MB
const FROZEN = 10; // clients
// What one frozen reader may cost: `socketBytes` in its socket, a batch being sent (`batchBytes`)
// as text and as bytes, and room for the garbage collector's mood. Readers who kept what they do
// not take, and shared it, would cost 10 MB each.
const BOUND_PER_READER = 2 * 1024 * 1024;

interface Client {
  pause(): void;
  resume(): void;
  close(): void;
}

/** Gives every batch to `onBatch`, as soon as it comes. */
type Read = (server: PublishingServer, onBatch: (batch: Batch) => void) => Promise<Client>;

const tail: Read = async ({ socketUrl }, onBatch) => {
  const { api, socket } = await openSocket(socketUrl);
  await pumpTail(api, onBatch);
  return client(socket, () => socket.terminate());
};

const listen: Read = async ({ socketUrl }, onBatch) => {
  const { api, socket } = await openSocket(socketUrl);
  await api.listen("topic", (batch) => onBatch(batch));
  return client(socket, () => socket.terminate());
};

const webSocket: Read = async ({ url }, onBatch) => {
  const { socket } = await openFrames(`${url.replace(/^http/, "ws")}/topics/topic`);
  socket.on("message", (frame) => onBatch(JSON.parse((frame as Buffer).toString()) as Batch));
  return client(socket, () => socket.terminate());
};

const stream =
  (accept: string, makeDecode: () => (chunk: string) => Batch | undefined): Read =>
  async ({ url }, onBatch) => {
    const decode = makeDecode();
    const { socket, next } = await openChunks(`${url}/topics/topic`, { Accept: accept });
    onTestFinished(() => void socket.destroy());
    const pump = async () => {
      for (;;) {
        const batch = decode((await next()) ?? "");
        if (batch) onBatch(batch);
      }
    };
    pump().catch(() => {});
    return client(socket, () => socket.destroy());
  };

const ways: [string, Read][] = [
  ["tail", tail],
  ["listen", listen],
  ["SSE", stream("text/event-stream", eventsToBatch)],
  ["NDJSON", stream("application/x-ndjson", () => linesToBatch)],
  ["WebSocket", webSocket],
];

describe.each(ways)("behind a frozen %s", (_name, read) => {
  test("100 MB later memory is bounded, the neighbour has everything, and the gap is exact", async () => {
    const server = await startPublishingServer({ store: { historyEvents: 32 } });
    const neighbour = tally();
    await read(server, neighbour.take);
    const frozen = await Promise.all(
      Array.from({ length: FROZEN }, async () => {
        const counted = tally();
        return { client: await read(server, counted.take), ...counted };
      }),
    );
    // Full history and everybody live: the baseline. Less at a time than the history holds.
    for (let published = 0; published < 64; published += 16) {
      await server.publish({ count: 16, bytes: EVENT_BYTES, perTurn: 1 });
      await expect
        .poll(() => [neighbour, ...frozen].map(({ seen }) => seen.last), { interval: 1 })
        .toEqual(Array.from({ length: FROZEN + 1 }, () => published + 16));
    }
    const before = await server.memory();

    for (const { client: reader } of frozen) reader.pause();
    for (let published = 64; published < EVENTS; published += 16) {
      await server.publish({ count: 16, bytes: EVENT_BYTES, perTurn: 4 });
      // The neighbour takes each burst while the others stand still.
      await expect.poll(() => neighbour.seen.last, { interval: 1 }).toBe(published + 16);
    }
    expect(neighbour.seen).toEqual({ last: EVENTS, events: EVENTS, missed: 0, wrong: 0 });
    const growth = ((await server.memory()) - before) / FROZEN;
    expect(growth).toBeLessThan(BOUND_PER_READER);

    for (const { client: reader } of frozen) reader.resume();
    await expect
      .poll(() => frozen.map(({ seen }) => seen.last), { timeout: 20_000 })
      .toEqual(frozen.map(() => EVENTS));
    for (const { seen } of frozen) {
      expect(seen.wrong).toBe(0);
      expect(seen.missed).toBeGreaterThan(EVENTS / 2);
      expect(seen.events + seen.missed).toBe(EVENTS);
    }
  });

  test("a neighbour's delay does not change", async () => {
    const server = await startPublishingServer({ store: { historyEvents: 32 } });
    const delays: Record<"alone" | "beside", number[]> = { alone: [], beside: [] };
    let current: number[] = delays.alone;
    const neighbour = tally();
    await read(server, (batch) => {
      neighbour.take(batch);
      for (const { data } of batch.events) {
        current.push(
          performance.timeOrigin + performance.now() - (data as { sentAt: number }).sentAt,
        );
      }
    });
    // Side by side in one run: the same neighbour, alone and beside frozen clients, in turns.
    let published = 0;
    const measure = async (into: number[]) => {
      current = into;
      for (let round = 0; round < 50; round += 1) {
        await server.publish({ count: 1, bytes: 200, perTurn: 1 });
        await expect.poll(() => neighbour.seen.last, { interval: 1 }).toBe((published += 1));
      }
    };
    for (let round = 0; round < 3; round += 1) {
      await measure(delays.alone);
      const frozen: Client[] = [];
      for (let count = 0; count < FROZEN; count += 1) {
        const reader = await read(server, () => {});
        reader.pause();
        frozen.push(reader);
      }
      // Fills every frozen socket to its limit.
      await server.publish({ count: 400, bytes: EVENT_BYTES, perTurn: 4 });
      current = [];
      await expect.poll(() => neighbour.seen.last).toBe((published += 400));
      await measure(delays.beside);
      for (const reader of frozen) reader.close();
      await expect.poll(async () => (await server.stats()).readers).toBe(1);
    }
    expect(neighbour.seen.wrong).toBe(0);
    // Half a millisecond is the clock's own grain: `sentAt` is whole milliseconds.
    expect(median(delays.beside)).toBeLessThan(2 * median(delays.alone) + 0.5);
  });
});

test("a hundred tails of one frozen session cost no more than one", async () => {
  const server = await startPublishingServer({ store: { historyEvents: 32 } });
  const { api, socket } = await openSocket(server.socketUrl);
  const tallies = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const counted = tally();
      await pumpTail(api, counted.take);
      return counted;
    }),
  );
  await server.publish({ count: 64, bytes: EVENT_BYTES, perTurn: 1 });
  const lastOnes = () => new Set(tallies.map(({ seen }) => seen.last));
  await expect.poll(lastOnes).toEqual(new Set([64]));
  const before = await server.memory();
  socket.pause();
  await server.publish({ count: 2_000, bytes: EVENT_BYTES, perTurn: 4 });
  const growth = (await server.memory()) - before;
  socket.resume();
  await expect.poll(lastOnes, { timeout: 20_000 }).toEqual(new Set([2_064]));
  for (const { seen } of tallies)
    expect([seen.wrong, seen.events + seen.missed]).toEqual([0, 2_064]);
  expect(growth).toBeLessThan(2 * BOUND_PER_READER);
});

test.each([
  ["polls", ""],
  ["streams", "Accept: text/event-stream\r\n"],
])(
  "a connection that asks for a thousand %s and never reads costs no more than one",
  async (_name, accept) => {
    const server = await startPublishingServer({});
    await server.publish({ count: 64, bytes: EVENT_BYTES, perTurn: 1 });
    const before = await server.memory();
    const socket = await openTcp(server.url);
    socket.pause();
    const ask = `GET /topics/topic?after=earliest HTTP/1.1\r\nHost: localhost\r\n${accept}\r\n`;
    await new Promise<void>((resolve) => socket.write(ask.repeat(1_000), () => resolve()));
    // Another client's answers come behind what the first has asked for.
    for (let count = 0; count < 50; count += 1) {
      expect((await fetch(`${server.url}/topics/topic`)).status).toBe(200);
    }
    // A thousand requests that wait, and one answer.
    expect((await server.memory()) - before).toBeLessThan(8 * 1024 * 1024);
    expect((await server.stats()).readers).toBeLessThanOrEqual(1);
  },
);

/** Counts what a reader got, and whatever breaks the promise of order and honest gaps. */
function tally() {
  const seen = { last: 0, events: 0, missed: 0, wrong: 0 };
  const take = ({ events, gap }: Batch) => {
    if (gap) {
      seen.missed += gap.missed ?? Number.NaN;
      seen.last += gap.missed ?? Number.NaN;
    }
    for (const { offset } of events) {
      if (offset !== seen.last + 1) seen.wrong += 1;
      seen.last = offset;
      seen.events += 1;
    }
  };
  return { seen, take };
}

async function pumpTail(api: SocketClient["api"], onBatch: (batch: Batch) => void): Promise<void> {
  const reader = (await api.tail("topic")).getReader();
  const pump = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      onBatch(value);
    }
  };
  pump().catch(() => {}); // the test ends by cutting the connection
}

function client(socket: { pause(): void; resume(): void }, close: () => void): Client {
  return { close, pause: () => void socket.pause(), resume: () => void socket.resume() };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
