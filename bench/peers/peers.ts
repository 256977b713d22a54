/** Every side by its name. A peer is loaded only in the process that is it. */
import type { StartPeer } from "./peer.ts";

export const PEERS = {
  bare: async () => (await import("./bare.ts")).startBare(),
  sse: async () => (await import("./product.ts")).startProduct("sse"),
  ndjson: async () => (await import("./product.ts")).startProduct("ndjson"),
  websocket: async () => (await import("./product.ts")).startProduct("websocket"),
  capnweb: async () => (await import("./capnweb.ts")).startCapnweb(),
  ws: async () => (await import("./ws.ts")).startWs(),
  betterSse: async () => (await import("./better-sse.ts")).startBetterSse(),
  hono: async () => (await import("./hono.ts")).startHono(),
  socketIo: async () => (await import("./socket-io.ts")).startSocketIo(),
  nchan: async () => (await import("./nchan.ts")).startNchan(),
} satisfies Record<string, StartPeer>;

export type PeerKind = keyof typeof PEERS;
