/** The client's transports, each as a `Reader` of the transport contract. */
import { WebSocket } from "ws";
import type { Batch } from "../../../server/contract.ts";
import { cursorAt } from "../../../client/cursor.ts";
import type { SetTimer } from "../../../client/clock.ts";
import type { TopicBatch, Transport } from "../../../client/transport.ts";
import { longPoll } from "../../../client/transports/long-poll.ts";
import { ndjson } from "../../../client/transports/ndjson.ts";
import { poll } from "../../../client/transports/poll.ts";
import { rpcPoll } from "../../../client/transports/rpc-poll.ts";
import { rpcTail } from "../../../client/transports/rpc-tail.ts";
import { sse } from "../../../client/transports/sse.ts";
import { websocket } from "../../../client/transports/websocket.ts";
import type { LocalServer } from "../../support/server.ts";
import type { OpenReader } from "../../transport-contract.ts";

interface Traffic {
  onRequest?: () => void;
  onBytes?: (bytes: number) => void;
}

/** How each transport is made for a topic of a server. */
export const TRANSPORTS: Record<
  string,
  (server: Pick<LocalServer, "url">, topic?: string, traffic?: Traffic) => Transport
> = {
  sse: ({ url }, topic, traffic) => sse({ url: topicUrl(url, topic), ...traffic }),
  ndjson: ({ url }, topic, traffic) => ndjson({ url: topicUrl(url, topic), ...traffic }),
  websocket: ({ url }, topic, traffic) =>
    websocket({ url: topicUrl(url, topic), WebSocket, ...traffic }),
  poll: ({ url }, topic, traffic) =>
    poll({ url: topicUrl(url, topic), setTimer: nextTurn, ...traffic }),
  "long-poll": ({ url }, topic, traffic) => longPoll({ url: topicUrl(url, topic), ...traffic }),
  "rpc-poll": ({ url }, topic = "topic", traffic) =>
    rpcPoll({ url: `${url}/api`, topic, ...traffic }),
  "rpc-tail": ({ url }, topic = "topic", traffic) =>
    rpcTail({ url: `${url}/api`, topic, WebSocket, ...traffic }),
};

/** Polls as fast as it can, so that it may keep up with tests that publish as fast as they can. */
const nextTurn: SetTimer = (callback) => {
  const immediate = setImmediate(callback);
  return () => clearImmediate(immediate);
};

function topicUrl(url: string, topic = "topic"): string {
  return `${url}/topics/${encodeURIComponent(topic)}`;
}

/** A reader of the contract, which sees only batches with an event or a gap. */
export function readerOf(
  make: (server: LocalServer, topic?: string) => Transport,
  { streams = false }: { streams?: boolean } = {},
): OpenReader {
  return async (server, { topic, after }) => {
    const stop = new AbortController();
    const place = after === undefined ? {} : { after };
    const batches = make(server, topic).open(place, stop.signal)[Symbol.asyncIterator]();
    const waiting: TopicBatch[] = [];
    const take = async () => {
      const { value } = (await batches.next()) as { value: TopicBatch };
      if (value.events.length > 0 || value.gap) {
        waiting.push(...(streams ? eventByEvent(value) : [value]));
      }
    };
    await take();
    return {
      next: async () => {
        while (waiting.length === 0) await take();
        return waiting.shift() as Batch;
      },
      close: async () => {
        stop.abort(new Error("the test has left"));
        await batches.return?.();
      },
    };
  };
}

/** A stream has no batches of its own: what arrives together is up to the sockets. */
function eventByEvent({ events, cursor, gap }: TopicBatch): TopicBatch[] {
  if (events.length === 0) return [{ events, cursor, ...(gap && { gap }) }];
  return events.map((event, index) => ({
    events: [event],
    cursor: cursorAt(cursor, event.offset),
    ...(index === 0 && gap && { gap }),
  }));
}
