/**
 * Keeps one Cap'n Web session to a server alive. Every try is a `Session` of its own, which is
 * silent once it has ended, so the late failure of an old one cannot harm its successor.
 */
import type { RpcStub } from "capnweb";
import type { PushSessionApi } from "../server/contract.ts";
import { backoffDelay } from "./backoff.ts";
import { onBrowserWake } from "./on-browser-wake.ts";
import { Session, type SessionOptions } from "./session.ts";

export interface ConnectionStatus {
  /** `reconnecting` lasts from the first failure until a server answers; `disconnected` is final. */
  readonly state: "connecting" | "connected" | "reconnecting" | "disconnected";
  /** For people. When reconnecting, what went wrong. */
  readonly message: string;
  /** When reconnecting: until the next attempt; undefined while one is under way. */
  readonly retryInMs?: number;
}

export interface ConnectOptions extends Partial<SessionOptions> {
  /** A monotonic clock in milliseconds. */
  now?: () => number;
  /** 0 (included) to 1 (not included), for the jitter. */
  random?: () => number;
  /** Calls back when the network or the user is back; returns the function that stops that. */
  onWake?: (callback: () => void) => () => void;
}

const MIN_DELAY_MS = 250;
const STABLE_MS = 10_000; // a session that lived this long makes the next failure a first one
const MAX_RETRY_AFTER_MS = 5 * 60_000; // a server may ask for patience, but not for ever

export class Connection {
  readonly #url: URL;
  readonly #options: Required<ConnectOptions>;
  readonly #listeners = new Set<(status: ConnectionStatus) => void>();
  #status: ConnectionStatus = { state: "disconnected", message: "Not connected" };
  #session: Session | undefined;
  #connectedAt: number | undefined;
  #attempt = 0;
  #notBefore = 0;
  #cancelRetry: (() => void) | undefined;
  #stopWaking: (() => void) | undefined;

  /** `http:` and `https:` addresses will do as well. Throws a TypeError if `url` is none. */
  constructor(
    url: string | URL,
    {
      WebSocket = globalThis.WebSocket,
      setTimer = startTimer,
      silenceMs = 10_000,
      timeoutMs = 10_000, // a mobile network may take seconds to open a connection
      now = () => performance.now(),
      random = Math.random,
      onWake = onBrowserWake,
    }: ConnectOptions = {},
  ) {
    this.#url = new URL(url);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    if (!/^wss?:$/.test(this.#url.protocol)) throw new TypeError(`Not a WebSocket address: ${url}`);
    if (!WebSocket) throw new TypeError("Node 20 has no WebSocket: pass the one of the package ws");
    this.#options = { WebSocket, setTimer, silenceMs, timeoutMs, now, random, onWake };
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** The server's API, when there is one to talk to. A new stub after each reconnect. */
  get api(): RpcStub<PushSessionApi> | undefined {
    return this.#session?.api;
  }

  /** Calls `listener` at each change of status. Returns the function that ends this. */
  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The API as soon as there is a connection. Rejects if it is closed, or aborted by `signal`. */
  ready(signal?: AbortSignal): Promise<RpcStub<PushSessionApi>> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        if (signal?.aborted) reject(signal.reason as Error);
        else if (this.api) resolve(this.api);
        else if (this.#status.state === "disconnected") reject(new Error(this.#status.message));
        else return;
        stopListening();
        signal?.removeEventListener("abort", settle);
      };
      const stopListening = this.onStatus(settle);
      signal?.addEventListener("abort", settle);
      settle();
    });
  }

  /** Connects now: opens it again after `close()`, or cuts a wait short. */
  open(): void {
    const { state } = this.#status;
    if (state === "connecting" || state === "connected") return;
    if (state === "reconnecting") return this.#connect(state, this.#status.message);
    this.#stopWaking = this.#options.onWake(() => this.#wake());
    this.#attempt = 0;
    this.#connect("connecting", `Opening a session with ${this.#url.host}`);
  }

  /** Ends it; outstanding calls are rejected. Callable twice. */
  close(): void {
    if (this.#status.state === "disconnected") return;
    this.#stopWaking?.();
    this.#cancelRetry?.();
    this.#endSession();
    this.#setStatus({ state: "disconnected", message: "The connection is closed" });
  }

  #connect(state: "connecting" | "reconnecting", message: string): void {
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#endSession();
    const session = new Session(this.#url.href, this.#options, {
      onReady: () => this.#connected(),
      onEnd: (error) => this.#failed(error),
    });
    this.#session = session;
    try {
      session.open();
    } catch (error) {
      return this.#failed(error);
    }
    this.#setStatus({ state, message });
  }

  #connected(): void {
    this.#connectedAt = this.#options.now();
    this.#setStatus({ state: "connected", message: `Session with ${this.#url.host}` });
  }

  #failed(error: unknown): void {
    const { now, random } = this.#options;
    this.#session = undefined;
    if (this.#connectedAt !== undefined && now() - this.#connectedAt >= STABLE_MS) {
      this.#attempt = 0;
    }
    this.#connectedAt = undefined;
    const minMs = Math.max(MIN_DELAY_MS, retryAfterMs(error));
    this.#notBefore = now() + minMs;
    this.#retryIn(backoffDelay(this.#attempt++, { minMs, random }), messageOf(error));
  }

  #retryIn(retryInMs: number, message: string): void {
    this.#cancelRetry = this.#options.setTimer(
      () => this.#connect("reconnecting", message),
      retryInMs,
    );
    this.#setStatus({ state: "reconnecting", message, retryInMs });
  }

  /** Sooner than planned, but never sooner than the minimum or what the server has asked for. */
  #wake(): void {
    if (this.#session) return this.#session.probe();
    this.#cancelRetry?.();
    this.#retryIn(Math.max(0, this.#notBefore - this.#options.now()), this.#status.message);
  }

  #endSession(): void {
    this.#session?.end(new Error("The connection is closed"));
    this.#session = undefined;
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status;
    for (const listener of this.#listeners) listener(this.#status);
  }
}

/** A connection to the Cap'n Web API at `url`, on its way. It tries for ever, until `close()`. */
export function connect(url: string | URL, options?: ConnectOptions): Connection {
  const connection = new Connection(url, options);
  connection.open();
  return connection;
}

function startTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs);
  return () => clearTimeout(timer);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a server that is stopping has asked for; from the network, so anything else is 0. */
function retryAfterMs(error: unknown): number {
  const ms = error instanceof Error && "retryAfterMs" in error ? error.retryAfterMs : 0;
  return typeof ms === "number" && ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : 0;
}
