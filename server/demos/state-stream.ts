/**
 * A topic of states as Server-Sent Events: each event replaces the one before. So there is nothing to
 * resume, hence no ids; a newcomer gets the newest at once, and whoever is late only the newest few.
 */
import type { ServerResponse } from "node:http";
import type { Batch } from "../contract.ts";
import type { Hub } from "../hub.ts";
import { farewell } from "../transports/sse.ts";
import { deliver, type Sink } from "../wire/delivery.ts";
import { comment, EVENT_STREAM, eventBlock, type EventFormat } from "../wire/event-stream.ts";
import { openHttpStream } from "../wire/http-stream.ts";

export interface StateStreamOptions extends EventFormat {
  topic: string;
  /** Heartbeats by the clock, also between two events. Default: after a silence. */
  steadyHeartbeat?: boolean;
  /** How long a client is left alone after each write, in milliseconds. Default 0. */
  pauseMs?: () => number;
  /** Called once, when the client has left. */
  onClose?: () => void;
}

const LATE_STATES = 16; // that may wait for one client

/**
 * Resolves when the response has begun.
 * @throws {PushError} what `hub.subscribe` throws; then nothing has been sent
 */
export async function streamStates(
  response: ServerResponse,
  hub: Hub,
  { topic, colon, steadyHeartbeat = false, pauseMs = () => 0, onClose }: StateStreamOptions,
): Promise<void> {
  const { heartbeatMs } = hub.limits;
  const subscription = await hub.subscribe(topic, { last: 1, capacity: LATE_STATES });
  const stream = openHttpStream(response, { "Content-Type": EVENT_STREAM });
  const heartbeat = () => {
    if (stream.hasRoom) stream.write(comment("heartbeat"));
  };
  const timer = steadyHeartbeat ? setInterval(heartbeat, heartbeatMs) : undefined;
  let pausing = false;
  const pause = (ms: number) => {
    if (ms < 1) return;
    pausing = true;
    const end = () => {
      pausing = false;
      delivery.wake();
    };
    setTimeout(end, ms).unref();
  };
  const sink: Sink = {
    hasRoom: () => stream.hasRoom && !pausing,
    write: (batch) => {
      stream.write(encode(batch, colon));
      pause(pauseMs());
    },
    heartbeat: steadyHeartbeat ? () => {} : heartbeat,
    end: (reason) => stream.end(farewell(reason)),
  };
  const delivery = deliver(subscription, sink, { heartbeatMs, onError: hub.onError });
  stream.tell(delivery);
  stream.onClose(() => {
    clearInterval(timer);
    onClose?.();
  });
}

function encode({ events }: Batch, colon: EventFormat["colon"]): string {
  return events
    .map(({ name, data }) => eventBlock({ event: name, data: JSON.stringify(data) }, { colon }))
    .join("");
}
