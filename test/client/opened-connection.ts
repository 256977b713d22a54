/** A connection whose time is in the test's hands, over real sockets. */
import { expect, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { Connection, type ConnectionOptions } from "../../client/connection.ts";
import type { ConnectionStatus } from "../../client/status.ts";
import { ManualTime } from "./manual-time.ts";
import type { ScriptedServer } from "./scripted-server.ts";

export const SILENCE_MS = 10_000;
export const TIMEOUT_MS = 10_000;
export const MIN_MS = 250;

/** Nobody listens there. */
export const NOWHERE = "ws://127.0.0.1:1/api";

type State = ConnectionStatus["state"];

/** Ended with the test; its jitter is the smallest. */
export function connectionTo(
  url: string,
  { random = () => 0, ...options }: Partial<ConnectionOptions> = {},
): { connection: Connection; time: ManualTime } {
  const time = new ManualTime();
  const connection = new Connection(new URL(url), {
    WebSocket,
    ...time.clock(random),
    silenceMs: SILENCE_MS,
    timeoutMs: TIMEOUT_MS,
    ...options,
  });
  onTestFinished(() => connection.close());
  return { connection, time };
}

/** A network with a switch: while it is off, every socket is opened where nobody listens. */
export function network(): { isOn: boolean; readonly WebSocket: typeof WebSocket } {
  const state = {
    isOn: false,
    WebSocket: class extends WebSocket {
      constructor(url: string | URL) {
        super(state.isOn ? url : NOWHERE);
      }
    } as typeof WebSocket,
  };
  return state;
}

/** Resolves when the connection is in this state, and meanwhile waits for the next attempt. */
export function reached(connection: Connection, state: State, waiting = false): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const { status } = connection;
      if (status.state !== state || (waiting && status.retryInMs === undefined)) return;
      stop();
      resolve();
    };
    const stop = connection.onStatus(look);
    look();
  });
}

export const failed = (connection: Connection) => reached(connection, "reconnecting", true);

/** Resolves when the server has been asked this many things. */
export const pulled = (server: ScriptedServer, count: number) =>
  expect.poll(() => server.pulls, { interval: 5 }).toBe(count);

/** What it is rejected with. Listens at once, so nothing is left unhandled. */
export const failure = (call: PromiseLike<unknown>): Promise<unknown> =>
  call.then(
    () => "no error",
    (error: unknown) => error,
  ) as Promise<unknown>;
