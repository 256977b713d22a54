/**
 * Clients as their users write them, in Node: Cap'n Web sessions of the real library, and for
 * comparison bare sockets and `ws`. They count events, each client its own. While they are measured
 * the process never sleeps, because waking it would be paid by the server.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { newWebSocketRpcSession } from "capnweb";
import { WebSocket } from "ws";
import type { Batch, PushSessionApi } from "../../server/contract.ts";
import { answer } from "../child.ts";
import { MARK } from "../load/load-client.ts";
import { TOPIC } from "../peers/product.ts";
import { BURST } from "../samples.ts";

export type ReaderKind = keyof typeof OPEN;
export type ReadersQuestion =
  | { kind: "open"; readers: ReaderKind; port: number; control: number; clients: number }
  /** Bursts in a closed loop. */
  | { kind: "bursts"; ms: number }
  /** Begins to count; `arrived` is answered when each client has had so many. */
  | { kind: "zero" }
  | { kind: "arrived"; events: number };
export interface Arrived {
  events: number;
  ms: number;
  /** Of this process, in milliseconds. */
  cpuMs: number;
}

interface PlainApi {
  listen(callback: (event: unknown) => void): Promise<void>;
  tail(): Promise<ReadableStream<unknown>>;
}
type Count = (events: number) => void;

const STALLED_MS = 60_000;
const AT_ONCE = 50;

globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket; // Node 20 has none

const OPEN = {
  net: async (port: number, count: Count) => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "readable");
    countMarks(socket, count);
  },
  websocket: async (port: number, count: Count) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/topics/${TOPIC}`);
    socket.on("message", (data) => {
      const { events } = JSON.parse((data as Buffer).toString()) as Batch;
      if (events.length > 0) count(events.length);
    });
    await once(socket, "message"); // the greeting
  },
  listen: async (port: number, count: Count) => {
    const api = newWebSocketRpcSession<PushSessionApi>(`ws://127.0.0.1:${port}/api`);
    await api.listen(TOPIC, ({ events }) => count(events.length), { after: "latest" });
  },
  tail: async (port: number, count: Count) => {
    const api = newWebSocketRpcSession<PushSessionApi>(`ws://127.0.0.1:${port}/api`);
    const stream = await api.tail(TOPIC);
    void (async () => {
      for await (const { events } of stream) count(events.length);
    })().catch(fail);
  },
  "plain callback": async (port: number, count: Count) => {
    const api = newWebSocketRpcSession<PlainApi>(`ws://127.0.0.1:${port}/api`);
    await api.listen(() => count(1));
  },
  "plain stream": async (port: number, count: Count) => {
    const api = newWebSocketRpcSession<PlainApi>(`ws://127.0.0.1:${port}/api`);
    const stream = await api.tail();
    void (async () => {
      for await (const _event of stream) count(1);
    })().catch(fail);
  },
} satisfies Record<string, (port: number, count: Count) => Promise<void>>;

let control: Socket;
let counts: number[] = [];
let total = 0;
/** What `total` was when all had arrived: nothing may follow. */
let settled = 0;
let since = performance.now();
let cpuSince = process.cpuUsage();
/** How many events all clients together must have had, and what then happens. */
let awaited = Number.POSITIVE_INFINITY;
let onArrived = () => {};

answer(async (question: ReadersQuestion): Promise<Arrived | void> => {
  switch (question.kind) {
    case "open":
      return open(question);
    case "bursts":
      return bursts(question.ms);
    case "zero":
      return zero();
    case "arrived":
      return spinning(() => arrived(question.events));
  }
});

async function open(question: ReadersQuestion & { kind: "open" }): Promise<void> {
  const { readers, port, clients } = question;
  control = connect(question.control, "127.0.0.1");
  counts = Array.from({ length: clients }, () => 0);
  const openOne = (client: number) =>
    OPEN[readers](port, (events) => {
      counts[client]! += events;
      total += events;
      if (total >= awaited) onArrived();
    });
  for (let done = 0; done < clients; done += AT_ONCE) {
    const some = counts.slice(done, done + AT_ONCE);
    await Promise.all(some.map((_none, index) => openOne(done + index)));
  }
}

async function bursts(ms: number): Promise<Arrived> {
  zero();
  return spinning(async () => {
    for (let burst = 1; ; burst += 1) {
      control.write("b");
      const result = await arrived(burst * BURST);
      if (result.ms > ms) return result;
    }
  });
}

function zero(): void {
  if (total !== settled) fail(new Error(`${total - settled} events that nobody published`));
  settled = 0;
  counts.fill(0);
  total = 0;
  since = performance.now();
  cpuSince = process.cpuUsage();
}

/** Waits until each client has had so many events, no more and no fewer. */
async function arrived(events: number): Promise<Arrived> {
  awaited = events * counts.length;
  const stalled = setTimeout(
    () => fail(new Error(`${total} of ${awaited} events arrived`)),
    STALLED_MS,
  );
  if (total < awaited) await new Promise<void>((resolve) => (onArrived = resolve));
  clearTimeout(stalled);
  awaited = Number.POSITIVE_INFINITY;
  if (counts.some((count) => count !== events)) fail(new Error("not the same number for each"));
  settled = total;
  const { user, system } = process.cpuUsage(cpuSince);
  return { events: total, ms: performance.now() - since, cpuMs: (user + system) / 1_000 };
}

async function spinning<T>(work: () => Promise<T>): Promise<T> {
  let done = false;
  const spin = () => {
    if (!done) setImmediate(spin);
  };
  spin();
  try {
    return await work();
  } finally {
    done = true;
  }
}

/** In a text in which a mark may be split over two chunks. */
function countMarks(socket: Socket, count: Count): void {
  let rest = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    const text = rest + chunk;
    let events = 0;
    let end = 0;
    for (let at = text.indexOf(MARK); at !== -1; at = text.indexOf(MARK, end)) {
      events += 1;
      end = at + MARK.length;
    }
    rest = text.slice(Math.max(end, text.length - MARK.length + 1));
    if (events > 0) count(events);
  });
}

function fail(error: unknown): never {
  console.error(error);
  process.exit(1);
}
