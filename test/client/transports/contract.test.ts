/** The client's transports keep the same contract as the plainest clients do. */
import { type TransportTraits, transportContract } from "../../transport-contract.ts";
import { readerOf, TRANSPORTS } from "./readers.ts";

const WAITS: Record<string, TransportTraits["waits"]> = {
  sse: "connected",
  ndjson: "connected",
  websocket: "connected",
  "rpc-tail": "connected",
  "rpc-poll": "held",
  "long-poll": "held",
  poll: "unseen",
};

for (const [name, waits] of Object.entries(WAITS)) {
  const streams = name === "sse" || name === "ndjson";
  transportContract(`client transport ${name}`, readerOf(TRANSPORTS[name]!, { streams }), {
    waits,
  });
}
