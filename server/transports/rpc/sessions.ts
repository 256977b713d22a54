/**
 * The Cap'n Web sessions over WebSocket: opens them up to a limit, finds the dead ones, and tells
 * all of them when the server stops.
 */
import { RpcSession, type RpcTarget } from "capnweb";
import type { WebSocket } from "ws";
import { PushError } from "../../errors.ts";
import type { Limits } from "../../limits.ts";
import { keepPinging } from "../../wire/ping.ts";
import type { Upgraded } from "../../wire/upgrade.ts";
import { errorOnWire } from "./errors-on-wire.ts";
import { CallBudget } from "./messages.ts";
import { SocketTransport } from "./socket-transport.ts";

interface Session {
  readonly transport: SocketTransport;
  readonly rpc: RpcSession;
}

/** Makes a session's main object; `ways` lead to its client without the library. */
export type MakeMain = (budget: CallBudget, ways: SocketTransport) => RpcTarget;

export class RpcSessions {
  readonly #limits: Limits;
  readonly #sessions = new Map<WebSocket, Session>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** @throws {PushError} `limit_exceeded`, to be asked before the handshake */
  checkRoom(): void {
    const max = this.#limits.sessions;
    if (this.#sessions.size < max) return;
    throw new PushError("limit_exceeded", `Expected at most ${max} sessions`, {
      retryAfterMs: 5_000,
    });
  }

  open(upgraded: Upgraded, makeMain: MakeMain): void {
    const { socket } = upgraded;
    const limits = this.#limits;
    const { sessionCalls: maxCalls, answerBytes: maxBytes } = limits;
    const budget = new CallBudget({ maxCalls, maxBytes });
    const transport = new SocketTransport(upgraded, limits, budget);
    const main = makeMain(budget, transport);
    const rpc = new RpcSession(transport, main, { onSendError: errorOnWire });
    this.#sessions.set(socket, { transport, rpc });
    keepPinging(socket, limits);
    socket.once("close", () => this.#sessions.delete(socket));
  }

  /** Tells each client that the server stops, and when to come back. */
  close(reason: () => PushError): void {
    for (const { transport } of this.#sessions.values()) transport.fail(reason());
  }

  /** What the library holds for each session, summed up. */
  stats(): { sessions: number; imports: number; exports: number } {
    const stats = { sessions: this.#sessions.size, imports: 0, exports: 0 };
    for (const { rpc } of this.#sessions.values()) {
      const { imports, exports } = rpc.getStats();
      stats.imports += imports;
      stats.exports += exports;
    }
    return stats;
  }
}
