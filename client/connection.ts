/**
 * Keeps one Cap'n Web session to a server alive, for whoever calls it and for the readers that share
 * it. Each is a `Session` of its own, which is silent once it has ended, so the late failure of an old
 * one cannot harm its successor.
 */
import type { RpcStub } from "capnweb";
import type { PushSessionApi } from "../server/contract.ts";
import { type Clock, clockOf } from "./clock.ts";
import { Retry } from "./retry.ts";
import { NoSession } from "./failures.ts";
import { Session, type SessionOptions } from "./session.ts";
import { type ConnectionStatus, CurrentStatus } from "./status.ts";
import { type TrafficObserver, TransportError } from "./transport.ts";
import { openSocket, type WebSocketClass } from "./transports/frames.ts";

export interface ConnectionOptions extends Partial<Clock>, TrafficObserver {
  /** Default: the platform's. */
  readonly WebSocket?: WebSocketClass | undefined;
  /** How long the server may say nothing before it is asked whether it is there, in milliseconds. */
  readonly silenceMs?: number | undefined;
  /** How long it may take to answer that, and how long opening may take. */
  readonly timeoutMs?: number | undefined;
  /** How long calls wait for a connection, from the first of them on. */
  readonly callWaitMs?: number | undefined;
}

type Api = RpcStub<PushSessionApi>;

export class Connection {
  /** The server's API, always of the newest session. What is called while there is none waits. */
  readonly api: Api;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #retry: Retry;
  readonly #sessionOptions: SessionOptions;
  readonly #onBytes: TrafficObserver["onBytes"];
  readonly #status = new CurrentStatus({ state: "disconnected", message: "Not connected" });
  /** Who waits for the try that is under way. */
  readonly #waiters = new Set<(failure?: TransportError) => void>();
  #session: Session | undefined;
  /** Its user wants it, not only readers, which may have found another way. */
  #isKept = false;
  #readyAt: number | undefined;
  /** For the next try, because of `failure`. */
  #waiting: { readonly stop: AbortController; readonly failure: TransportError } | undefined;
  #stopWaking: (() => void) | undefined;

  /** Opens nothing. `http:` and `https:` addresses will do as well. */
  constructor(
    url: URL,
    {
      WebSocket,
      silenceMs = 10_000,
      timeoutMs = 10_000, // a mobile network may take seconds to open a connection
      callWaitMs = 30_000,
      onRequest,
      onBytes,
      ...times
    }: ConnectionOptions = {},
  ) {
    if (!/^(http|ws)s?:$/.test(url.protocol))
      throw new TypeError(`Not a server's URL: ${url.href}`);
    this.#host = url.host;
    this.#clock = clockOf(times);
    this.#retry = new Retry(this.#clock);
    this.#onBytes = onBytes;
    const open = () => {
      onRequest?.();
      return openSocket(url, WebSocket);
    };
    const { setTimer } = this.#clock;
    this.#sessionOptions = { open, setTimer, silenceMs, timeoutMs, callWaitMs };
    this.api = alwaysCurrent(() => this.#wanted());
  }

  get status(): ConnectionStatus {
    return this.#status.value;
  }

  /** Calls `listener` at each change of status. Returns the function that ends this. */
  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    return this.#status.listen(listener);
  }

  /** Connects, and stays connected until `close()`; an attempt that waits is made soon. */
  open(): void {
    this.#isKept = true;
    if (this.#isClosed) {
      this.#retry.reset();
      this.#begin();
    } else if (this.#waiting) {
      this.#retry.hurry();
    }
  }

  /** Ends it; outstanding calls are rejected. Callable twice. */
  close(): void {
    if (this.#isClosed && this.#session?.hasEnded) return;
    const closed = new TransportError("closed", "The connection is closed", { canRetry: false });
    this.#isKept = false;
    this.#stopWaking?.();
    this.#waiting?.stop.abort(closed);
    this.#waiting = undefined;
    this.#readyAt = undefined;
    this.#current().end(closed); // and so are calls made from now on
    this.#status.set({ state: "disconnected", message: closed.message });
    this.#tellWaiters(closed);
  }

  /**
   * The API of a session that the server has answered on. Rejects with why the attempt that is under
   * way, or is made for this, has failed; at once while the next one waits for its time, which many
   * readers must not bring forward. What only this has opened rests when it does not get through and
   * nobody waits any more.
   */
  async ready(signal?: AbortSignal): Promise<Api> {
    signal?.throwIfAborted();
    if (this.#session?.isReady) return this.#session.api;
    const retryInMs = this.#retry.dueInMs;
    if (this.#waiting && retryInMs > 0) {
      throw new NoSession(this.#waiting.failure, retryInMs, "not_connected");
    }
    return new Promise((resolve, reject) => {
      const settle = (failure?: TransportError) => {
        this.#waiters.delete(settle);
        signal?.removeEventListener("abort", abort);
        if (failure) reject(failure);
        else resolve(this.#session!.api);
      };
      const abort = () => settle(signal!.reason as TransportError);
      this.#waiters.add(settle);
      signal?.addEventListener("abort", abort);
      if (this.#isClosed) this.#begin();
    });
  }

  get #isClosed(): boolean {
    return this.status.state === "disconnected";
  }

  /** The session that calls go to, or wait in; once closed, the one that refuses them. */
  #wanted(): Api {
    const isOver = () => this.#isClosed && this.#session?.hasEnded;
    if (!isOver()) this.#isKept = true;
    if (this.#isClosed && !isOver()) this.open(); // where a listener may close it
    return isOver() ? this.#session!.api : this.#current().api;
  }

  #current(): Session {
    if (this.#session && !this.#session.hasEnded) return this.#session;
    const session: Session = new Session(this.#sessionOptions, {
      onReady: () => this.#ready(),
      onRefused: (failure) => this.#failed(failure),
      onEnd: (failure) => this.#ended(session, failure),
      onFrame: (frame) => this.#onBytes?.(encoder.encode(frame).length),
    });
    this.#session = session;
    return session;
  }

  #begin(): void {
    this.#stopWaking = this.#clock.onWake(() => this.#session?.probe());
    this.#attempt("connecting", `Opening a session with ${this.#host}`);
  }

  #attempt(state: "connecting" | "reconnecting", message: string): void {
    this.#status.set({ state, message });
    if (!this.#isClosed) this.#current().attempt(); // a listener may close it
  }

  #ready(): void {
    this.#readyAt = this.#clock.now();
    this.#tellWaiters();
    this.#status.set({ state: "connected", message: `Session with ${this.#host}` });
  }

  #tellWaiters(failure?: TransportError): void {
    for (const settle of this.#waiters) settle(failure);
  }

  /** A session that never had a socket ends when its calls have waited for too long. */
  #ended(session: Session, failure: TransportError): void {
    if (session !== this.#session) return;
    this.#session = undefined;
    if (!this.#waiting) this.#failed(failure);
  }

  #failed(failure: TransportError): void {
    const hasWorked = this.#readyAt !== undefined;
    const livedMs = this.#clock.now() - (this.#readyAt ?? this.#clock.now());
    this.#readyAt = undefined;
    const { message } = failure;
    const retryInMs = this.#retry.failed(failure, livedMs);
    const stop = new AbortController();
    this.#waiting = { stop, failure };
    this.#retry.wait(stop.signal).then(
      () => {
        this.#waiting = undefined;
        const isWanted = this.#isKept || hasWorked || this.#waiters.size > 0;
        if (isWanted) return this.#attempt("reconnecting", message);
        this.#stopWaking?.();
        this.#status.set({ state: "disconnected", message });
      },
      () => {}, // closed meanwhile
    );
    this.#tellWaiters(new NoSession(failure, retryInMs));
    this.#status.set({ state: "reconnecting", message, retryInMs });
  }
}

/** A stub whose every use is one of the current stub. */
function alwaysCurrent(current: () => Api): Api {
  return new Proxy(() => {}, {
    get: (_, name) => {
      if (name === "then" || name === "toJSON") return undefined; // `await` and logs are no calls
      if (name === Symbol.dispose) return () => {}; // others may use it too: `close()` is for that
      return Reflect.get(current(), name) as unknown;
    },
    apply: () => {
      throw new TypeError("Expected a method of the API, got a call of the API itself");
    },
  }) as unknown as Api;
}

const encoder = new TextEncoder();
