/** Who reads the metrics on the page, each over a network of its own that may be cut. */
import { connect, type Place, type TransportName } from "../../client/index.ts";
import { resume } from "../../client/resume.ts";
import { Subscription } from "../../client/subscription.ts";
import { poll } from "../../client/transports/poll.ts";
import { METRICS_TOPIC as topic } from "../../server/contract.ts";
import type { Network } from "./network.ts";

export interface Reader {
  subscribe(from: Place): Subscription;
  /** Leaves nothing open. It may subscribe again. */
  rest(): void;
}

/** A client, as any page would have it. Without `transports` it picks. */
export function clientOver(
  { fetch, WebSocket }: Network,
  transports?: readonly TransportName[],
): Reader {
  const client = connect("/", { fetch, WebSocket, transports });
  return {
    subscribe: (from) => client.subscribe(topic, from),
    rest: () => client.connection.close(),
  };
}

/** Plain polling, which no client picks: a held question costs less and brings more. */
export function pollingOver({ fetch }: Network): Reader {
  const transport = poll({ url: new URL(`/topics/${topic}`, location.href), fetch });
  return {
    subscribe: (from) =>
      new Subscription(
        topic,
        (place, signal, onStatus) => resume(transport, place, { signal, onStatus }),
        from,
      ),
    rest: () => {},
  };
}
