/**
 * What a page or a program holds: `connect(url)` gives subscriptions that survive whatever happens to
 * their connections, and the server's Cap'n Web API beside them. Nothing is opened before it is used.
 */
import type { RpcStub } from "capnweb";
import type { PushSessionApi } from "../server/contract.ts";
import { Choice, type Memory } from "./choice.ts";
import { type Clock, clockOf } from "./clock.ts";
import { Connection } from "./connection.ts";
import { resume } from "./resume.ts";
import { type Callbacks, Subscription } from "./subscription.ts";
import type { Place, Transport } from "./transport.ts";
import type { WebSocketClass } from "./transports/frames.ts";
import { longPoll } from "./transports/long-poll.ts";
import { ndjson } from "./transports/ndjson.ts";
import { rpcPoll } from "./transports/rpc-poll.ts";
import { rpcTail } from "./transports/rpc-tail.ts";
import { sse } from "./transports/sse.ts";
import { websocket } from "./transports/websocket.ts";

export const TRANSPORTS = [
  "rpc-tail",
  "websocket",
  "sse",
  "ndjson",
  "long-poll",
  "rpc-poll",
] as const;

export type TransportName = (typeof TRANSPORTS)[number];

/** Asked before each request, so that a token may be renewed. */
export type HeadersSource = () => HeadersInit | Promise<HeadersInit>;

export interface ConnectOptions extends Partial<Clock> {
  /**
   * The best first; the next is tried when one does not get through. Default: `rpc-tail`, one
   * WebSocket for everything; then `websocket`, `sse`, `long-poll`, `rpc-poll`; with `headers`, which a
   * WebSocket cannot carry, the last three.
   */
  readonly transports?: readonly TransportName[] | undefined;
  readonly headers?: HeadersInit | HeadersSource | undefined;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch | undefined;
  /** Default: the platform's, in Node that of the package `ws`. */
  readonly WebSocket?: WebSocketClass | undefined;
  /** How long a server may take to answer, in milliseconds. Default 10,000. */
  readonly openMs?: number | undefined;
  /** How long it may say nothing after that. Default 75,000: its heartbeats come every 30 s. */
  readonly silenceMs?: number | undefined;
  /** How long calls of `api` wait for a connection, from the first of them on. Default 30,000. */
  readonly callWaitMs?: number | undefined;
}

export interface SubscribeOptions<T = unknown> extends Callbacks<T>, Omit<Place, "after"> {
  /** Default "latest", also for what a page's storage gives when nothing was kept there. */
  readonly after?: string | null | undefined;
  /** Closes the subscription. */
  readonly signal?: AbortSignal | undefined;
}

const OPEN_MS = 10_000; // a mobile network may take seconds to open a connection
const PREFERRED: readonly TransportName[] = [
  "rpc-tail",
  "websocket",
  "sse",
  "long-poll",
  "rpc-poll",
];
const WITH_HEADERS: readonly TransportName[] = ["sse", "long-poll", "rpc-poll"];

/**
 * A client of the server at `url`, e.g. `https://push.example.com`; in a page also `/`.
 * @throws {TypeError} when `url` is none, or a transport is not known
 */
export function connect<Topics extends object = Record<string, unknown>>(
  url: string | URL,
  options: ConnectOptions = {},
): Client<Topics> {
  return new Client<Topics>(url, options);
}

/** @typeParam Topics what the topics' events carry: `{ "system-metrics": SystemMetrics }` */
export class Client<Topics extends object = Record<string, unknown>> {
  /** The Cap'n Web session that `api` and the transport `rpc-tail` share, and its state. */
  readonly connection: Connection;
  readonly #base: URL;
  readonly #api: URL;
  readonly #options: ConnectOptions;
  readonly #names: readonly TransportName[];
  readonly #memory: Memory = {};
  readonly #subscriptions = new Set<{ close(): void }>();
  #closed = false;

  /** Use `connect`. */
  constructor(url: string | URL, options: ConnectOptions) {
    this.#base = baseOf(url);
    this.#api = new URL("api", this.#base);
    this.#options = { ...options, fetch: withHeaders(options) };
    this.#names = options.transports ?? (options.headers ? WITH_HEADERS : PREFERRED);
    if (this.#names.length === 0) throw new TypeError("Expected at least one transport");
    for (const name of this.#names) {
      if (!TRANSPORTS.includes(name)) throw new TypeError(`Unknown transport: ${name}`);
    }
    const { openMs = OPEN_MS, callWaitMs, WebSocket, ...times } = options;
    this.connection = new Connection(this.#api, {
      ...clockOf(times),
      WebSocket,
      timeoutMs: openMs,
      callWaitMs,
    });
  }

  /**
   * The server's Cap'n Web API, always of the session that lives. A call made while there is none
   * waits for the next, and rejects with the code `unreachable` when that takes too long: it has not
   * run. One whose answer did not come before the connection was lost rejects with `may_have_run`, and
   * is never repeated.
   */
  get api(): RpcStub<PushSessionApi> {
    return this.connection.api;
  }

  /**
   * A topic, from what is published next, or from `after` or `last` on. With a callback it is read at
   * once, else when it is looped over.
   */
  subscribe<Name extends keyof Topics & string>(
    topic: Name,
    options?: SubscribeOptions<Topics[Name]>,
  ): Subscription<Topics[Name]>;
  /** Without a map of topics. */
  subscribe<T>(
    topic: string extends keyof Topics ? string : never,
    options?: SubscribeOptions<T>,
  ): Subscription<T>;
  subscribe<T>(topic: string, options: SubscribeOptions<T> = {}): Subscription<T> {
    if (this.#closed) throw new Error("The client is closed");
    const { onBatch, onEvent, onGap, onEnd, after, ...rest } = options;
    const { openMs = OPEN_MS, silenceMs, ...times } = this.#options;
    const clock = clockOf(times);
    const transports = this.#names.map((name) => this.#transport(name, topic));
    const choice = new Choice(transports, { memory: this.#memory, now: clock.now });
    const subscription: Subscription<T> = new Subscription<T>(
      topic,
      (from, signal, onStatus) =>
        resume(choice, from, { signal, onStatus, openMs, silenceMs, ...clock }),
      {
        ...rest,
        ...(after && { after }),
        onClose: (closed) => void this.#subscriptions.delete(closed),
      },
    );
    if (!rest.signal?.aborted) this.#subscriptions.add(subscription);
    if (onBatch || onEvent || onGap || onEnd) {
      subscription.listen({
        ...(onBatch && { onBatch }),
        ...(onEvent && { onEvent }),
        ...(onGap && { onGap }),
        ...(onEnd && { onEnd }),
      });
    }
    return subscription;
  }

  /** Ends everything: subscriptions, and calls that are under way. May be called twice. */
  close(): void {
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription.close();
    this.connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #transport(name: TransportName, topic: string): Transport {
    const { fetch, WebSocket, setTimer } = this.#options;
    const url = new URL(`topics/${encodeURIComponent(topic)}`, this.#base);
    const http = { url, fetch };
    switch (name) {
      case "rpc-tail":
        return rpcTail({ topic, url: this.#api, connection: this.connection, http });
      case "websocket":
        return websocket({ ...http, WebSocket });
      case "sse":
        return sse(http);
      case "ndjson":
        return ndjson(http);
      case "long-poll":
        return longPoll({ ...http, setTimer });
      case "rpc-poll":
        return rpcPoll({ topic, url: this.#api, fetch, setTimer });
    }
  }
}

/** A folder, so that `api` and `topics/…` are found in it, also behind a proxy's path. */
function baseOf(url: string | URL): URL {
  const base = new URL(url, globalThis.location?.href);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return base;
}

function withHeaders({ fetch, headers }: ConnectOptions): typeof globalThis.fetch | undefined {
  if (!headers) return fetch;
  return async (input, init) => {
    const all = new Headers(typeof headers === "function" ? await headers() : headers);
    new Headers(init?.headers).forEach((value, name) => all.set(name, value));
    return (fetch ?? globalThis.fetch)(input, { ...init, headers: all });
  };
}
