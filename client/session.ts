/**
 * One Cap'n Web session, from the first call that waits for it to its end. Sockets are tried until one
 * opens; a watch ends it when the server falls silent. Nothing is heard of it after its end.
 */
import { RpcSession, type RpcStub } from "capnweb";
import type { PushSessionApi } from "../server/contract.ts";
import type { SetTimer } from "./clock.ts";
import { lost, mayHaveRun, rejected, unreachable } from "./failures.ts";
import { SocketTransport, type WebSocketLike } from "./socket-transport.ts";
import type { TransportError } from "./transport.ts";

export interface SessionOptions {
  /** Opens a WebSocket. Throws when that is not allowed here. */
  readonly open: () => WebSocketLike;
  readonly setTimer: SetTimer;
  /** How long the server may say nothing before it is asked whether it is there. */
  readonly silenceMs: number;
  /** How long it may take to answer that, and how long opening may take. */
  readonly timeoutMs: number;
  /** How long a call waits for a socket. */
  readonly callWaitMs: number;
}

export interface SessionEvents {
  /** A socket could not be opened; another may be tried. */
  onRefused(failure: TransportError): void;
  /** At most once: the server has answered. */
  onReady(): void;
  /** Once, unless `end()` came first: it is over, and this is why. */
  onEnd(failure: TransportError): void;
  onFrame(frame: string): void;
}

export class Session {
  /** Calls on it wait until a socket is open. */
  readonly api: RpcStub<PushSessionApi>;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #transport: SocketTransport;
  #state: "waiting" | "open" | "ready" | "ended" = "waiting";
  #frames = 0;
  #probing = false;
  #cancelTimer: (() => void) | undefined;
  #cancelWait: (() => void) | undefined;

  constructor(options: SessionOptions, events: SessionEvents) {
    this.#options = options;
    this.#events = events;
    this.#transport = new SocketTransport({
      onOpen: () => this.#opened(),
      onFrame: (frame) => {
        this.#frames += 1;
        events.onFrame(frame);
      },
      onRefused: (failure) => this.#refused(failure),
      onWaiting: () => this.#waits(),
    });
    this.api = new RpcSession<PushSessionApi>(this.#transport).getRemoteMain();
    this.api.onRpcBroken((error: unknown) => this.#broken(error));
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** Tries a socket: `onReady` or `onRefused` follows, or the end. */
  attempt(): void {
    const { open, timeoutMs, setTimer } = this.#options;
    this.#cancelTimer?.();
    this.#cancelTimer = setTimer(() => {
      this.#transport.refuse(unreachable(new Error(notAnswered(timeoutMs))));
    }, timeoutMs);
    try {
      this.#transport.use(open());
    } catch (error) {
      this.#refused(unreachable(error)); // e.g. a page's CSP forbids the address
    }
  }

  /** Asks the server for a sign of life now, e.g. because the machine has just woken up. */
  probe(): void {
    if (this.#probing || !this.#transport.isOpen) return;
    this.#probing = true;
    // A refusal is an answer too. If the session breaks instead, `#broken` has run before this.
    const answered = () => this.#answered();
    this.api.topics().then(answered, answered);
    this.#afterSilence(this.#options.timeoutMs, () => {
      this.#transport.abort(mayHaveRun(lost(notAnswered(this.#options.timeoutMs))));
    });
  }

  /** Outstanding calls are rejected with `error`. Callable twice. */
  end(error: TransportError): void {
    if (!this.#finish()) return;
    this.#transport.abort(error);
  }

  #opened(): void {
    this.#state = "open";
    this.#cancelWait?.();
    this.probe();
  }

  #answered(): void {
    this.#probing = false;
    if (this.#state !== "open") return;
    this.#state = "ready";
    this.#events.onReady();
  }

  #refused(failure: TransportError): void {
    if (this.#state === "ended") return;
    this.#cancelTimer?.();
    this.#events.onRefused(failure);
  }

  /** For the first call that waits, and so for all of them. */
  #waits(): void {
    const { callWaitMs, setTimer } = this.#options;
    this.#cancelWait ??= setTimer(() => {
      this.#transport.abort(unreachable(new Error(`no connection for ${callWaitMs / 1_000} s`)));
    }, callWaitMs);
  }

  #broken(error: unknown): void {
    if (this.#finish()) this.#events.onEnd(rejected(error));
  }

  /** @returns false when it has ended before */
  #finish(): boolean {
    if (this.#state === "ended") return false;
    this.#state = "ended";
    this.#cancelTimer?.();
    this.#cancelWait?.();
    return true;
  }

  /** Any frame is a sign of life, so a session in use is never probed. */
  #afterSilence(ms: number, then: () => void): void {
    const frames = this.#frames;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.setTimer(() => {
      if (this.#frames === frames) return then();
      this.#probing = false;
      this.#afterSilence(this.#options.silenceMs, () => this.probe());
    }, ms);
  }
}

function notAnswered(ms: number): string {
  return `The server has not answered for ${ms / 1_000} s`;
}
