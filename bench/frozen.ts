/** One reader that never reads: how much memory it costs, and what its neighbours notice. */
import { clientsOf } from "./clients.ts";
import { buildLoad } from "./load/build.ts";
import type { EveryPeer } from "./peers/every-peer.ts";
import { type Effort, section, table } from "./report.ts";
import { interleave, median } from "./rounds.ts";
import { WatchedServer } from "./watched.ts";

interface Row {
  readonly name: string;
  readonly kind: EveryPeer;
  /** Left out of a quick run. */
  readonly slow?: true;
}

// Without nchan: behind a reader that never reads its worker goes on at 100 % and delivers no more.
const ROWS: readonly Row[] = [
  { name: "**our SSE**", kind: "sse" },
  { name: "**our NDJSON**", kind: "ndjson", slow: true },
  { name: "**our WebSocket**", kind: "websocket" },
  { name: "**our `listen`**", kind: "listen" },
  { name: "**our `tail`**", kind: "tail" },
  { name: "bare net, its answers ignored", kind: "bare" },
  { name: "better-sse", kind: "betterSse" },
  { name: "hono `streamSSE`", kind: "hono", slow: true },
  { name: "socket.io", kind: "socketIo", slow: true },
  { name: "capnweb, awaited callback", kind: "capnwebCallback", slow: true },
];

const BYTES = 800; // of an event; with 1,000 nchan's row did not end here, why is not known
const BURST = 100; // events in one turn
const NEIGHBOURS = 3;

interface Frozen {
  readonly growth: number;
  readonly before: number;
  readonly during: number;
}

export async function frozen({ divisor }: Effort): Promise<void> {
  await buildLoad();
  const quick = divisor > 1;
  const total = (quick ? 10e6 : 60e6) / BYTES;
  section(
    "One reader that never reads",
    `${(total * BYTES) / 1e6} MB are published in events of ${BYTES} bytes, first to ` +
      `${NEIGHBOURS} readers, then to them and one that reads no byte; the next ${BURST} events ` +
      "when the readers have the last. Growth of the server's RSS, after a collection, from the " +
      "first to the second: the history is full before. Delay of the readers in milliseconds, " +
      "without and with the frozen one. Target: less than 5 MiB, and the same delay.",
  );
  const rows = ROWS.filter(({ slow }) => !(quick && slow));
  const details = new Map(rows.map((row) => [row, [] as Frozen[]]));
  await interleave(rows, quick ? 1 : 5, async (row) => {
    const result = await measure(row.kind, total);
    details.get(row)!.push(result);
    return result.growth;
  });
  table(
    ["frozen reader", "MiB, median", "min", "max", "p99 with : without", "p99 without", "p99 with"],
    rows.map((row) => {
      const rounds = details.get(row)!;
      const growths = rounds.map(({ growth }) => growth / 2 ** 20);
      const cells = [median(growths), Math.min(...growths), Math.max(...growths)];
      const p99 = (when: "before" | "during") => median(rounds.map((round) => round[when]));
      return [
        row.name,
        ...cells.map((value) => value.toFixed(1)),
        median(rounds.map(({ before, during }) => during / before)).toFixed(2),
        p99("before").toFixed(2),
        p99("during").toFixed(2),
      ];
    }),
  );
}

async function measure(kind: EveryPeer, total: number): Promise<Frozen> {
  const server = new WatchedServer(kind);
  const clients = clientsOf(kind);
  try {
    const started = await server.start();
    await server.burst(BURST, { bytes: BYTES });
    const { control } = started;
    const publish = () => clients.drive("neighbours", { control, events: BURST, total });
    await clients.open("neighbours", NEIGHBOURS, started);
    const without = await publish();
    const before = await server.memory();
    await clients.open("frozen", 1, started);
    await clients.freeze("frozen");
    const withIt = await publish();
    const growth = (await server.memory()).rss - before.rss;
    return { growth, before: without.p99, during: withIt.p99 };
  } finally {
    server.close();
    clients.close();
  }
}
