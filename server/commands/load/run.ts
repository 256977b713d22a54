/** A run of the load client: all subscribers, until the time is over or all have given up. */
import { once } from "node:events";
import type { TrafficObserver } from "../../../client/transport.ts";
import { makeTransport, type TransportName } from "../reading.ts";
import { EventTimes } from "./event-times.ts";
import { Gate } from "./gate.ts";
import { openSse } from "./sse-wire.ts";
import { type Crowd, Subscriber } from "./subscriber.ts";
import { Tally } from "./tally.ts";
import { openTransport } from "./transport-wire.ts";
import { openWebSocket } from "./websocket-wire.ts";
import type { OpenWire } from "./wire.ts";

export interface LoadOptions {
  readonly url: URL;
  readonly clients: number;
  readonly transport: TransportName;
  readonly after: string | undefined;
  readonly debug: Crowd["debug"];
  /** Ends it: the user, or the time. */
  readonly signal: AbortSignal;
}

export interface LoadRun {
  readonly tally: Tally;
  readonly times: EventTimes;
  /** Resolves when it is over. */
  readonly done: Promise<void>;
}

// A server's backlog holds 511 in Node, and 128 in older systems (listen(2)).
const CONNECTING = 100;

export function startLoad({ url, clients, transport, after, debug, signal }: LoadOptions): LoadRun {
  const tally = new Tally();
  const times = new EventTimes(url, tally.delays);
  const allGaveUp = new AbortController();
  const crowd: Crowd = {
    openWire: wireOf(transport, url),
    place: after === undefined ? {} : { after },
    tally,
    gate: new Gate(CONNECTING),
    times,
    debug,
    onEnd: () => {
      if (tally.endedForGood === clients) allGaveUp.abort();
    },
  };
  for (let client = 1; client <= clients; client += 1) new Subscriber(client, crowd).connect();
  const done = Promise.race([aborted(signal), aborted(allGaveUp.signal)]).then(() => times.close());
  return { tally, times, done };
}

/** The two that are made in thousands have a lean way of their own. */
function wireOf(transport: TransportName, url: URL): OpenWire {
  if (transport === "sse") return openSse(url);
  if (transport === "websocket") return openWebSocket(url);
  makeTransport(transport, url); // throws now what it would throw for each client
  return openTransport((observer: TrafficObserver) => makeTransport(transport, url, observer));
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}
