/** Real Cap'n Web clients, each with a socket and a session of its own, that listen or tail. */
import { connect } from "node:net";
import { once } from "node:events";
import { newWebSocketRpcSession } from "capnweb";
import { WebSocket } from "ws";
import type { Batch, PushSessionApi } from "../../server/contract.ts";
import { answer } from "../child.ts";
import { type Delays, MARK, MARK_DIGITS } from "../load/load-client.ts";
import type { RpcCall } from "../peers/every-peer.ts";
import { TOPIC } from "../peers/product.ts";

export type RpcQuestion =
  | { kind: "open"; set: string; port: number; call: RpcCall; connections: number }
  | { kind: "close"; set: string }
  /** They read no byte any more. */
  | { kind: "freeze"; set: string }
  /** A byte to the control port, until all of the set have `events` more, until all have `total`. */
  | { kind: "drive"; set: string; control: number; events: number; total: number };

interface Client {
  readonly socket: WebSocket;
  readonly held: unknown[];
  events: number;
}

/** The library's own, without the product: the event itself, one at a time. */
interface PlainApi {
  listen(callback: (event: Noted) => void): Promise<void>;
  tail(): Promise<ReadableStream<Noted>>;
}

/** What is published; the note says when. */
interface Noted {
  readonly note: string;
}

globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket; // Node 20 has none

const CONNECTING = 100; // at once; fewer than a backlog holds
const sets = new Map<string, Client[]>();
let delays: number[] = [];
let arrived = () => {};

answer(async (question: RpcQuestion): Promise<Delays | void> => {
  const clients = sets.get(question.set) ?? [];
  switch (question.kind) {
    case "open":
      sets.set(question.set, await openAll(question));
      return;
    case "close":
      for (const { socket } of clients) socket.close();
      await Promise.all(clients.map(({ socket }) => closed(socket)));
      return;
    case "freeze":
      for (const { socket } of clients) socket.pause();
      return;
    case "drive":
      return drive(clients, question);
  }
});

async function openAll({
  port,
  call,
  connections,
}: RpcQuestion & { kind: "open" }): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < connections) {
    const some = Math.min(CONNECTING, connections - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: some }, () => open(port, call)))));
  }
  return clients;
}

async function open(port: number, call: RpcCall): Promise<Client> {
  // Not compressed: that is another question, and socket.io and the product do not either.
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api`, { perMessageDeflate: false });
  await once(socket, "open");
  const client: Client = { socket, held: [], events: 0 };
  client.held.push(await CALLS[call](socket as unknown as globalThis.WebSocket, client));
  return client;
}

/** @returns what has to be kept: whatever is disposed, or collected, is unsubscribed */
const CALLS: Record<RpcCall, (socket: globalThis.WebSocket, client: Client) => Promise<unknown>> = {
  listen: async (socket, client) => {
    const api = newWebSocketRpcSession<PushSessionApi>(socket);
    return [api, await api.listen(TOPIC, (batch) => takeBatch(client, batch))];
  },
  tail: async (socket, client) => {
    const api = newWebSocketRpcSession<PushSessionApi>(socket);
    return [api, read(await api.tail(TOPIC), (batch) => takeBatch(client, batch))];
  },
  "plain listen": async (socket, client) => {
    const api = newWebSocketRpcSession<PlainApi>(socket);
    return [api, await api.listen((event) => take(client, event))];
  },
  "plain tail": async (socket, client) => {
    const api = newWebSocketRpcSession<PlainApi>(socket);
    return [api, read(await api.tail(), (event) => take(client, event))];
  },
};

async function read<T>(stream: ReadableStream<T>, onChunk: (chunk: T) => void): Promise<void> {
  try {
    for await (const chunk of stream) onChunk(chunk);
  } catch {
    // Closed.
  }
}

function takeBatch(client: Client, { events }: Batch): void {
  for (const { data } of events) take(client, data as Noted);
}

function take(client: Client, { note }: Noted): void {
  const at = note.indexOf(MARK) + MARK.length;
  delays.push(Number(process.hrtime.bigint() - BigInt(note.slice(at, at + MARK_DIGITS))) / 1e6);
  client.events += 1;
  arrived();
}

async function drive(
  clients: readonly Client[],
  { control, events, total }: RpcQuestion & { kind: "drive" },
): Promise<Delays> {
  const socket = connect(control, "127.0.0.1");
  await once(socket, "connect");
  socket.setNoDelay();
  delays = [];
  for (const client of clients) client.events = 0;
  for (let due = events; due <= total; due += events) {
    socket.write("x");
    while (clients.some((client) => client.events < due)) {
      await new Promise<void>((resolve) => (arrived = resolve));
    }
  }
  socket.destroy();
  const sorted = delays.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))]!;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

async function closed(socket: WebSocket): Promise<void> {
  if (socket.readyState !== socket.CLOSED) await once(socket, "close");
}
