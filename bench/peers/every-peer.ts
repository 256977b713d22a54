/** Those of the fan-out, and those that are only measured idle or beside a frozen reader. */
import type { StartPeer } from "./peer.ts";
import { PEERS } from "./peers.ts";

/** As their clients are real Cap'n Web sessions, what these join with is a call. */
export const RPC_CALLS = {
  listen: "listen",
  tail: "tail",
  capnwebCallback: "plain listen",
  capnwebStream: "plain tail",
} as const;

const product: StartPeer = async () => (await import("./product.ts")).startProduct("websocket");

export const EVERY_PEER = {
  ...PEERS,
  bytes: async () => (await import("./bytes.ts")).startBytes(Number(process.argv[3])),
  http: async () => (await import("./http.ts")).startHttp(),
  listen: product,
  tail: product,
  capnwebCallback: PEERS.capnweb,
  capnwebStream: PEERS.capnweb,
} satisfies Record<string, StartPeer>;

export type EveryPeer = keyof typeof EVERY_PEER;
export type RpcCall = (typeof RPC_CALLS)[keyof typeof RPC_CALLS];
