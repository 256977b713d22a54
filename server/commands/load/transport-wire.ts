/** Any transport of the client as a wire: as a user's program has it, with what it costs there. */
import { lost, rejected } from "../../../client/failures.ts";
import type { Place, TrafficObserver, Transport } from "../../../client/transport.ts";
import type { OpenWire, WireListener } from "./wire.ts";

export function openTransport(make: (observer: TrafficObserver) => Transport): OpenWire {
  return (place, listener) => {
    const stop = new AbortController();
    const transport = make({ onBytes: (count) => listener.bytes(count) });
    read(transport, place, stop.signal, listener).catch((error: unknown) => {
      if (!stop.signal.aborted) listener.ended(rejected(error));
    });
    return { close: () => stop.abort(lost("The subscriber has left")) };
  };
}

async function read(
  transport: Transport,
  place: Place,
  signal: AbortSignal,
  listener: WireListener,
): Promise<never> {
  let opened = false;
  for await (const batch of transport.open(place, signal)) {
    if (!opened) listener.opened();
    opened = true;
    listener.batch(batch);
  }
  throw lost("The transport has ended");
}
