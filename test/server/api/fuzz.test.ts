/** Ten thousand random bodies and ten thousand random frames against a real server process. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import type { MetricsSubscribed } from "../../../server/contract.ts";
import { type FrameSocket, openFrames } from "../../support/frames.ts";
import { body, frame } from "../../support/garbage.ts";
import { SEED, withSeed } from "../../support/property.ts";
import { openSocket } from "../../support/rpc.ts";
import { type ServerProcess, startedProcess } from "../../support/server.ts";
import { ask, call } from "../../support/wire.ts";

const COUNT = 10_000;
const MAX_RSS = 400 * 1024; // KiB; an idle server has about 80 MiB, Node's heap grows by itself
// Some input is a poll that waits or a promise that never comes: then the client leaves.
const PATIENCE_MS = 500;

test("random bodies are answered with 200, 400 or 413, and the server is none the worse", async () => {
  const server = await startedProcess();
  await explained(server, async () => {
    let left = 0;
    const statuses = new Map<number, number>();
    await inParallel(fc.sample(body, { seed: SEED, numRuns: COUNT }), Array(16), async (bytes) => {
      try {
        const signal = AbortSignal.timeout(PATIENCE_MS);
        const { status } = await ask(`${server.url}/api`, { method: "POST", body: bytes, signal });
        expect([200, 400, 413], describeInput(bytes)).toContain(status);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      } catch (error) {
        if ((error as Error).name !== "AbortError") throw withInput(error, bytes);
        left += 1;
      }
    });
    // Otherwise this test has looked at one kind of input only.
    expect(statuses.get(200)).toBeGreaterThan(COUNT / 10);
    expect(statuses.get(400)).toBeGreaterThan(COUNT / 10);
    expect(left).toBeLessThan(COUNT / 20);
    await expectUnharmed(server);
  });
});

test("random frames end their own session at most, and the server is none the worse", async () => {
  const server = await startedProcess();
  const url = `ws://127.0.0.1:${server.port}/api`;
  await explained(server, async () => {
    const codes = new Map<number, number>();
    let survived = 0;
    const sessions = Array.from({ length: 8 }, () => new OneAfterAnother(url));
    await inParallel(
      fc.sample(frame, { seed: SEED, numRuns: COUNT }),
      sessions,
      async (bytes, at) => {
        const { socket, closed } = await at.open();
        socket.send(bytes);
        const ending = await Promise.race([closed, twoPongs(socket)]);
        if (ending === undefined) {
          survived += 1;
          return;
        }
        at.forget();
        expect([1002, 1003, 1007, 1009, 1013], describeInput(bytes)).toContain(ending.code);
        codes.set(ending.code, (codes.get(ending.code) ?? 0) + 1);
      },
    );
    // Otherwise this test has looked at one kind of input only.
    expect(survived).toBeGreaterThan(COUNT / 20);
    expect(codes.get(1002)).toBeGreaterThan(COUNT / 20);
    expect(codes.get(1003)).toBeGreaterThan(0);
    await expectUnharmed(server);
  });
});

/** It lives, has printed nothing but its greeting, answers correctly, and is not bloated. */
async function expectUnharmed(server: ServerProcess): Promise<void> {
  expect(server.process.exitCode).toBe(null);
  expect(server.output()).toMatch(
    /^capnweb-push \S+\n {2}live metrics [^\n]+\n {2}Cap'n Web [^\n]+\n {2}all the rest [^\n]+\n$/,
  );
  const { subscriptionId } = await call<MetricsSubscribed>(server.url, "subscribeSystemMetrics");
  const { api } = await openSocket(`ws://127.0.0.1:${server.port}/api`);
  const { updates } = await api.pollMetricsUpdates(subscriptionId, { waitMs: 30_000 });
  expect(updates.length).toBeGreaterThan(0);
  const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", `${server.process.pid}`]);
  expect(Number(stdout)).toBeLessThan(MAX_RSS);
}

/** Each worker takes the next item when it is done with its last. */
async function inParallel<T, W>(
  items: readonly T[],
  workers: readonly W[],
  work: (item: T, worker: W) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const run = async (worker: W) => {
    for (const item of rest) await work(item, worker);
  };
  await Promise.all(Array.from(workers, run));
}

/** A session, and a new one when that has ended. */
class OneAfterAnother {
  readonly #url: string;
  #session: Promise<FrameSocket> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  open(): Promise<FrameSocket> {
    return (this.#session ??= openFrames(this.#url));
  }

  forget(): void {
    this.#session = undefined;
  }
}

/** By the second answer the server has taken up what was sent before the first. */
async function twoPongs(socket: WebSocket): Promise<undefined> {
  for (let pongs = 0; pongs < 2; pongs += 1) {
    if (socket.readyState === socket.OPEN) socket.ping();
    await new Promise((resolve) => void socket.once("pong", resolve));
  }
  return undefined;
}

/** A failure says how to replay it, and what the server had to say. */
async function explained(server: ServerProcess, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    throw withSeed(new Error(`${String(error)}\n${server.output().slice(-3_000)}`));
  }
}

function withInput(error: unknown, bytes: string | Buffer): Error {
  return new Error(`${String(error)}\n${describeInput(bytes)}`, { cause: error });
}

function describeInput(bytes: string | Buffer): string {
  return `input: ${JSON.stringify(bytes.toString()).slice(0, 2_000)}`;
}
