/**
 * One try at one server: a WebSocket, the Cap'n Web session over it, and a watch that ends it when
 * the server falls silent. It opens once and ends once, and nothing is heard of it after that.
 */
import { RpcSession, type RpcStub } from "capnweb";
import type { PushSessionApi } from "../server/contract.ts";
import { SocketTransport, type WebSocketLike } from "./socket-transport.ts";

/** Calls back after `delayMs`, unless the function it returns is called before. */
export type SetTimer = (callback: () => void, delayMs: number) => () => void;

export interface SessionOptions {
  WebSocket: new (url: string) => WebSocketLike;
  setTimer: SetTimer;
  /** How long the server may say nothing before it is asked whether it is there. */
  silenceMs: number;
  /** How long it may take to answer that, and how long opening may take. */
  timeoutMs: number;
}

export interface SessionEvents {
  /** At most once: the server has answered the first call. */
  onReady: () => void;
  /** Once, unless `end()` came first: it is over, and this is why. Nothing comes after it. */
  onEnd: (error: unknown) => void;
}

export class Session {
  readonly #url: string;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  #transport: SocketTransport | undefined;
  #api: RpcStub<PushSessionApi> | undefined;
  #ready = false;
  #ended = false;
  #frames = 0;
  #probing = false;
  #cancelTimer: (() => void) | undefined;

  constructor(url: string, options: SessionOptions, events: SessionEvents) {
    this.#url = url;
    this.#options = options;
    this.#events = events;
  }

  /** The server's API while the session is good: after `onReady`, until it ends. */
  get api(): RpcStub<PushSessionApi> | undefined {
    return this.#ready && !this.#ended ? this.#api : undefined;
  }

  /** Throws what the WebSocket constructor throws, e.g. when a page's CSP forbids the address. */
  open(): void {
    const socket = new this.#options.WebSocket(this.#url);
    this.#transport = new SocketTransport(socket, () => this.#frames++);
    this.#api = new RpcSession<PushSessionApi>(this.#transport).getRemoteMain();
    this.#api.onRpcBroken((error: unknown) => this.#broken(error));
    this.probe(); // waits in the transport until the socket is open, so its deadline covers both
  }

  /** Asks the server for a sign of life now, e.g. because the machine has just woken up. */
  probe(): void {
    if (this.#probing || this.#ended) return;
    this.#probing = true;
    // A refusal is an answer too. If the session breaks instead, `#broken` has run before this.
    const answered = () => this.#answered();
    this.#api?.topics().then(answered, answered);
    this.#afterSilence(this.#options.timeoutMs, () => {
      const seconds = this.#options.timeoutMs / 1_000;
      this.#transport?.abort(new Error(`The server has not answered for ${seconds} s`));
    });
  }

  /** Outstanding calls are rejected with `error`. Callable twice. */
  end(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer?.();
    this.#transport?.abort(error);
  }

  #answered(): void {
    this.#probing = false;
    if (this.#ready || this.#ended) return;
    this.#ready = true;
    this.#events.onReady();
  }

  #broken(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer?.();
    this.#events.onEnd(error);
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
