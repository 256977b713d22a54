/** The transports by the names that users write, and how each is made from a topic's URL. */
import { WebSocket } from "ws";
import type { TrafficObserver, Transport } from "../../client/transport.ts";
import { longPoll } from "../../client/transports/long-poll.ts";
import { ndjson } from "../../client/transports/ndjson.ts";
import { poll } from "../../client/transports/poll.ts";
import { rpcPoll } from "../../client/transports/rpc-poll.ts";
import { rpcTail } from "../../client/transports/rpc-tail.ts";
import { sse } from "../../client/transports/sse.ts";
import { websocket } from "../../client/transports/websocket.ts";
import type { Rule } from "../config-rules.ts";
import { shown, UsageError } from "../command-line.ts";

export const TRANSPORT_NAMES = [
  "sse",
  "websocket",
  "ndjson",
  "long-poll",
  "poll",
  "rpc-tail",
  "rpc-poll",
] as const;

export type TransportName = (typeof TRANSPORT_NAMES)[number];

/** The rule of `--after`. */
export const AFTER: Rule<string> = {
  expected: "`earliest`, `latest` or a cursor",
  parse: (text) => (/^(earliest|latest|[^.\s]+\.\d+)$/.test(text) ? text : undefined),
};

/** @throws {UsageError} when RPC is wanted and the URL is not that of a topic */
export function makeTransport(
  name: TransportName,
  url: URL,
  observer: TrafficObserver = {},
): Transport {
  switch (name) {
    case "sse":
      return sse({ url, ...observer });
    case "ndjson":
      return ndjson({ url, ...observer });
    case "websocket":
      return websocket({ url, WebSocket, ...observer });
    case "poll":
      return poll({ url, ...observer });
    case "long-poll":
      return longPoll({ url, ...observer });
    case "rpc-tail":
      return rpcTail({ ...apiOf(url), WebSocket, ...observer });
    case "rpc-poll":
      return rpcPoll({ ...apiOf(url), ...observer });
  }
}

/** @throws {UsageError} */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new UsageError(
    `Expected a URL like http://localhost:8000/topics/system-metrics, got ${shown(text)}`,
  );
}

/** `…/topics/NAME` → `…/api` beside it, also behind a proxy's path. */
function apiOf(url: URL): { url: URL; topic: string } {
  const [, before, name] = /^(.*)\/topics\/([^/]+)\/?$/.exec(url.pathname) ?? [];
  if (name === undefined) {
    throw new UsageError(`Expected a topic's URL for RPC, …/topics/NAME, got ${shown(url.href)}`);
  }
  return { url: new URL(`${before}/api`, url), topic: decodeURIComponent(name) };
}
