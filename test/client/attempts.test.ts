/**
 * How often a client comes back to a server that fails it, in every way there is, over real sockets.
 * Its clock is the test's: a minute of trouble, however slow the machine.
 */
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Connection } from "../../client/connection.ts";
import { lost } from "../../client/failures.ts";
import { resume } from "../../client/resume.ts";
import type { ConnectionStatus } from "../../client/status.ts";
import type { Transport } from "../../client/transport.ts";
import { longPoll } from "../../client/transports/long-poll.ts";
import { sse } from "../../client/transports/sse.ts";
import { websocket } from "../../client/transports/websocket.ts";
import { connect } from "../../client/client.ts";
import { seeded } from "../support/seeded.ts";
import { startedLocal } from "../support/server.ts";
import { ManualTime } from "./manual-time.ts";
import { network } from "./opened-connection.ts";
import { empty } from "./scripted-transport.ts";

const MIN_MS = 250;
const MINUTE_MS = 60_000;
const PATIENCE_MS = 1_000; // for a server that says nothing

interface Failing {
  readonly port: number;
  /** A TLS client comes to a server that has no TLS. */
  readonly tls?: boolean;
}

/** What each does to a client is in its name. */
const KINDS: Record<string, () => Promise<Failing>> = {
  refused: async () => {
    const server = await listening(createServer());
    const port = portOf(server);
    server.close();
    return { port };
  },
  "answered 403": () => answering(403),
  "answered 503": () => answering(503),
  "closed at once": async () => serving((socket) => void socket.destroy()),
  silent: async () => serving(() => {}),
  "no TLS": async () => ({ ...(await answering(200)), tls: true }),
  "bad bytes": async () => serving((socket) => void socket.end("\0\xff not HTTP \r\n\r\n")),
  "a socket closed as soon as it is open": async () => {
    const server = createHttpServer((_, response) => void response.writeHead(503).end());
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket) => socket.terminate());
    await listening(server);
    return { port: portOf(server) };
  },
};

async function answering(status: number): Promise<Failing> {
  const server = createHttpServer((_, response) => void response.writeHead(status).end("no"));
  return { port: portOf(await listening(server)) };
}

async function serving(serve: (socket: Socket) => void): Promise<Failing> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    serve(socket);
  });
  return { port: portOf(await listening(server)) };
}

async function listening<T extends Server>(server: T): Promise<T> {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => open.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

const urlOf = ({ port, tls }: Failing, path: string) =>
  new URL(`${tls ? "https" : "http"}://127.0.0.1:${port}${path}`);

/** Lets a minute pass: the waits at once, and a try that hangs as long as it may. */
async function passMinute(time: ManualTime, status: () => ConnectionStatus): Promise<void> {
  let idleTurns = 0;
  while (time.now() < MINUTE_MS) {
    const { retryInMs } = status();
    idleTurns = retryInMs === undefined ? idleTurns + 1 : 0;
    // Sockets of this machine answer within a few turns; who has not by then is silent.
    if (retryInMs !== undefined || idleTurns > 200) {
      idleTurns = 0;
      time.advance(time.nextInMs ?? 0);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Never sooner than the minimum, ever longer apart: the jitter is always the middle one. */
function expectBackoff(at: readonly number[]): void {
  const waits = at.slice(1).map((ms, index) => ms - at[index]!);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(MIN_MS);
  expect(at.length).toBeGreaterThan(4);
  // 750, 1,250, 2,250, 4,250, 8,250, 15,250 and 15,250 ms, and what a try itself takes.
  expect(at.length).toBeLessThan(10);
  for (const [index, wait] of waits.slice(0, 5).entries()) {
    expect(wait).toBeGreaterThanOrEqual(MIN_MS + 500 * 2 ** index);
  }
}

describe.each(Object.keys(KINDS))("a server that is %s", (kind) => {
  it("is left alone more and more by a Connection", async () => {
    const time = new ManualTime();
    const at: number[] = [];
    const connection = new Connection(urlOf(await KINDS[kind]!(), "/api"), {
      WebSocket,
      ...time.clock(() => 0.5),
      timeoutMs: PATIENCE_MS,
      onRequest: () => at.push(time.now()),
    });
    onTestFinished(() => connection.close());
    connection.open();
    await passMinute(time, () => connection.status);
    expectBackoff(at);
  });

  it.each([
    ["sse", (url: URL) => sse({ url })],
    ["long-poll", (url: URL) => longPoll({ url })],
    ["websocket", (url: URL) => websocket({ url, WebSocket })],
  ])("is left alone more and more by a reader over %s", async (_, make) => {
    const time = new ManualTime();
    const at: number[] = [];
    const real = make(urlOf(await KINDS[kind]!(), "/topics/topic"));
    // It has worked once, or a 4xx and bad bytes would end it for good.
    const transport: Transport = {
      name: real.name,
      async *open(place, signal) {
        at.push(time.now());
        if (at.length === 1) {
          yield empty(0);
          throw lost("It was lost");
        }
        yield* real.open(place, signal);
      },
    };
    let status: ConnectionStatus = { state: "connecting", message: "" };
    const stop = new AbortController();
    const reading = resume(
      transport,
      { after: "e.0" },
      {
        ...time.clock(() => 0.5),
        signal: stop.signal,
        openMs: PATIENCE_MS,
        silenceMs: PATIENCE_MS,
        onStatus: (next) => (status = next),
      },
    );
    const end = (async () => {
      for await (const _batch of reading);
    })();
    await passMinute(time, () => status);
    stop.abort(new Error("a minute is over"));
    await end;
    expectBackoff(at);
  });
});

describe("twenty subscriptions over one Cap'n Web session", () => {
  it("try no more often than one, and are back when the session is", async () => {
    const time = new ManualTime();
    const server = await startedLocal();
    const net = network();
    const at: number[] = [];
    const Counted = class extends net.WebSocket {
      constructor(url: string | URL) {
        super(url);
        at.push(time.now());
      }
    } as typeof WebSocket;
    const client = connect(server.url, {
      WebSocket: Counted,
      fetch: () => Promise.reject(new TypeError("fetch failed")),
      transports: ["rpc-tail"],
      ...time.clock(seeded().random),
    });
    onTestFinished(() => client.close());
    const subscriptions = Array.from({ length: 20 }, () =>
      client.subscribe("topic", { onBatch: () => {} }),
    );
    const readers = () => subscriptions.filter(({ status }) => status.state === "connected").length;
    await passMinute(time, () => client.connection.status);
    const waits = at.slice(1).map((ms, index) => ms - at[index]!);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(MIN_MS);
    // Full jitter: at worst each wait is the minimum, but not all of a minute's.
    expect(at.length).toBeLessThan(20);
    net.isOn = true;
    client.connection.open();
    await expect
      .poll(() => (time.advance(Math.min(time.nextInMs ?? 0, MIN_MS)), readers()), { interval: 2 })
      .toBe(20);
  });
});
