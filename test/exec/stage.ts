/**
 * `test` with what the tests of exec need: both servers and a client, each ended with its test, also
 * in tests that run at the same time.
 */
import { test as base } from "vitest";
import type { Listening } from "../support/listening.ts";
import { startWebsocketd } from "../support/websocketd.ts";
import { type Guest, GUESTS, type OpenGuest, type Transport } from "./guests.ts";
import { childrenOf } from "./processes.ts";
import { startExec } from "./start-exec.ts";
import { type Peer, type Visit, type VisitOptions, visit } from "./visit.ts";

export type Start = typeof startExec;

export interface Stage {
  readonly startExec: Start;
  readonly startWebsocketd: Start;
  readonly open: (transport: Transport, ...options: Parameters<OpenGuest>) => Promise<Guest>;
  readonly visit: (server: Peer, options?: VisitOptions) => Promise<Visit>;
}

export const test = base.extend<Stage>({
  startExec: async ({ onTestFinished }, use) => {
    await use(async (...options) => {
      const server = await startExec(...options);
      onTestFinished(async () => void (await server.kill("SIGTERM"))); // its programs end with it
      return server;
    });
  },
  startWebsocketd: async ({ onTestFinished }, use) => {
    await use(async (...options) => {
      const server = await startWebsocketd(...options);
      onTestFinished(() => endWebsocketd(server));
      return server;
    });
  },
  open: async ({ onTestFinished }, use) => {
    await use(async (transport, ...options) => {
      const guest = await GUESTS[transport](...options);
      onTestFinished(() => void guest.socket.destroy());
      return guest;
    });
  },
  visit: async ({ onTestFinished }, use) => {
    await use(async (...options) => {
      const client = await visit(...options);
      onTestFinished(() => client.socket.terminate());
      return client;
    });
  },
});

/** At once, and its programs too. */
async function endWebsocketd(server: Listening): Promise<void> {
  const programs = childrenOf(server.process.pid!);
  await server.kill("SIGKILL");
  for (const { pid } of programs) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
}
