/** What an idle connection costs the server: its process's RSS, after a collection, for each. */
import { setTimeout as sleep } from "node:timers/promises";
import { clientsOf } from "./clients.ts";
import { buildLoad } from "./load/build.ts";
import { findOrInstallNchan } from "./peers/nchan-installed.ts";
import type { EveryPeer } from "./peers/every-peer.ts";
import type { Held } from "./processes/hub.ts";
import { type Effort, RATIO_HEAD, ratioCells, section, table } from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";
import { WatchedServer } from "./watched.ts";

interface Row {
  readonly name: string;
  readonly kind: EveryPeer;
  /** KiB */
  readonly target?: number;
  /** Left out of a quick run. */
  readonly slow?: true;
}

const ROWS: readonly Row[] = [
  { name: "bare net socket", kind: "bare" },
  { name: "**our SSE**", kind: "sse", target: 10 },
  { name: "**our NDJSON**", kind: "ndjson", target: 10, slow: true },
  { name: "Node http, held open", kind: "http", slow: true },
  { name: "better-sse", kind: "betterSse", slow: true },
  { name: "hono `streamSSE`", kind: "hono", slow: true },
  { name: "nginx + nchan (C)", kind: "nchan", slow: true },
  { name: "**our WebSocket**", kind: "websocket", target: 9 },
  { name: "ws", kind: "ws" },
  { name: "socket.io", kind: "socketIo", slow: true },
  { name: "**our `listen`**", kind: "listen", target: 14 },
  { name: "capnweb, callback", kind: "capnwebCallback", slow: true },
  { name: "**our `tail`**", kind: "tail", target: 20 },
  { name: "capnweb, `ReadableStream`", kind: "capnwebStream", slow: true },
];

const SETTLE_MS = 200;

export async function memory({ divisor }: Effort): Promise<void> {
  await buildLoad();
  const quick = divisor > 1;
  const connections = quick ? 2_000 : 5_000;
  const first = quick ? 1_500 : 2_000;
  const [more, before] = [connections, first].map((count) => count.toLocaleString("en"));
  section(
    "Memory of an idle connection",
    `By how much the server's RSS grows, after a collection, when ${more} more connections come to ` +
      `the ${before} that are there, for each of them; a fresh process in every round. With the ` +
      "first ones V8's young generation and its compiled code grow, whoever is connected. As a " +
      "ratio to a bare socket, in KiB, and how much of it is on the JavaScript heap, which is " +
      "the exact figure: RSS comes in pages. The Cap'n Web clients are real ones, a session each." +
      (quick
        ? " With so few, the RSS is not exact: look at the heap. Some peers are left out."
        : ""),
  );
  const hasNchan = findOrInstallNchan();
  const rows = ROWS.filter(({ kind, slow }) => !(quick && slow) && (kind !== "nchan" || hasNchan));
  const heaps = new Map(rows.map((row) => [row, [] as number[]]));
  const results = await interleave(rows, quick ? 1 : 5, async (row) => {
    const { rss, heap } = await measure(row.kind, first, connections);
    heaps.get(row)!.push(heap);
    return rss;
  });
  const bare = results.get(rows[0]!)!;
  table(
    ["idle", ...RATIO_HEAD, "KiB each", "heap", "target"],
    rows.map((row) => {
      const bytes = results.get(row)!;
      return [
        row.name,
        ...ratioCells(ratios(bytes, bare)),
        kibibytes(bytes),
        row.kind === "nchan" ? "" : kibibytes(heaps.get(row)!),
        row.target ? `≤ ${row.target}` : "",
      ];
    }),
  );
}

function kibibytes(bytes: readonly number[]): string {
  return (median(bytes) / 1024).toFixed(1);
}

/** @returns bytes for each connection */
async function measure(kind: EveryPeer, first: number, connections: number): Promise<Held> {
  const server = new WatchedServer(kind);
  const clients = clientsOf(kind);
  try {
    const started = await server.start();
    await clients.open("first", first, started);
    await sleep(SETTLE_MS);
    const before = await server.memory();
    await clients.open("more", connections, started);
    await sleep(SETTLE_MS);
    const after = await server.memory();
    const each = (of: keyof Held) => (after[of] - before[of]) / connections;
    return { heap: each("heap"), rss: each("rss") };
  } finally {
    server.close();
    clients.close();
  }
}
