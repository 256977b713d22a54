/**
 * What one delivered event costs the server, from 100 to 10,000 clients, as a ratio to the limit:
 * one ready-made Buffer written to each bare socket.
 */
import { buildLoad } from "./load/build.ts";
import { raiseFileLimit } from "./load/file-limit.ts";
import { findOrInstallNchan, nchanVersion } from "./peers/nchan-installed.ts";
import type { PeerKind } from "./peers/peers.ts";
import {
  type Effort,
  micros,
  RATIO_HEAD,
  ratioCells,
  ratioRange,
  section,
  table,
} from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";
import { Side } from "./side.ts";

const STEADY_DELIVERIES = 20_000; // a second, over all clients
const GROWTH = [1_000, 10_000];
const SPARE_FILES = 200;

interface Row {
  readonly name: string;
  readonly kind: PeerKind;
  /** Beyond this it takes for ever. */
  readonly most?: number;
}

const ROWS: readonly Row[] = [
  { name: "bare net limit", kind: "bare" },
  { name: "the same again, as a control", kind: "bare" },
  { name: "**our SSE**", kind: "sse" },
  { name: "**our NDJSON**", kind: "ndjson" },
  { name: "**our WebSocket**", kind: "websocket" },
  { name: "ws, `send(string)`", kind: "ws" },
  { name: "socket.io", kind: "socketIo" },
  { name: "better-sse", kind: "betterSse" },
  { name: "hono `streamSSE`", kind: "hono", most: 5_000 },
  { name: "nginx + nchan (C)", kind: "nchan" },
];
const OURS: readonly PeerKind[] = ["sse", "ndjson", "websocket"];

/** What each round cost, in microseconds per delivered event. */
interface Costs {
  readonly bursts: readonly number[];
  readonly steady: readonly number[];
  readonly loadBusy: number;
}

export async function fanOut(effort: Effort): Promise<void> {
  await buildLoad();
  const hasNchan = findOrInstallNchan();
  section(
    "Fan-out",
    "CPU of the server per delivered event of 200 bytes, as a ratio to Node's bare limit: one " +
      "ready-made Buffer written to each raw `net` socket. Bursts: five events published in one " +
      "turn of the event loop, the next five when all have arrived everywhere. Steady: single " +
      "events, 20,000 deliveries a second over all clients. Targets: bursts at most 0.35 (0.45 with " +
      `100 clients), steady at most 1.2.${hasNchan ? ` Of nginx: ${nchanVersion()}.` : ""}`,
  );
  const sizes = possible(effort.fanOutSizes);
  const results = new Map<number, Map<Row, Costs>>();
  for (const size of sizes) {
    const rows = ROWS.filter(
      ({ kind, most = size }) => size <= most && (kind !== "nchan" || hasNchan),
    );
    results.set(size, await measure(rows, size, effort));
    console.error(`fan-out to ${size} is done`);
  }
  for (const load of ["bursts", "steady"] as const) {
    table(
      [`${load}, N =`, ...sizes.map((size) => size.toLocaleString("en"))],
      ROWS.map((row) => [
        row.name,
        ...sizes.map((size) => {
          if (row.kind === "nchan" && !hasNchan) return "not installed";
          const costs = results.get(size)!.get(row);
          const limit = results.get(size)!.get(ROWS[0]!)!;
          return costs ? ratioRange(ratios(costs[load], limit[load])) : "";
        }),
      ]),
    );
  }
  table(
    ["µs CPU per event, bursts; load busy", ...sizes.map((size) => size.toLocaleString("en"))],
    ROWS.map((row) => [
      row.name,
      ...sizes.map((size) => {
        const costs = results.get(size)!.get(row);
        return costs ? `${micros(costs.bursts)}; ${(100 * costs.loadBusy).toFixed(0)} %` : "";
      }),
    ]),
  );
}

async function measure(
  rows: readonly Row[],
  size: number,
  effort: Effort,
): Promise<Map<Row, Costs>> {
  const sides = new Map(rows.map((row) => [row, new Side(row.name, row.kind)]));
  const all = [...sides.values()];
  try {
    for (const side of all) {
      await side.open(size);
      await side.bursts(effort.fanOutMs); // compiles what is hot
    }
    for (const side of all) side.loadBusy.length = 0;
    const bursts = await interleave(all, effort.fanOutRounds, (side) =>
      side.bursts(effort.fanOutMs),
    );
    const busy = new Map(all.map((side) => [side, median(side.loadBusy)]));
    const steady = await interleave(all, effort.fanOutRounds, (side) =>
      side.steady(2 * effort.fanOutMs, STEADY_DELIVERIES),
    );
    return new Map(
      rows.map((row) => {
        const side = sides.get(row)!;
        const costs = { bursts: bursts.get(side)!, steady: steady.get(side)! };
        return [row, { ...costs, loadBusy: busy.get(side)! }];
      }),
    );
  } finally {
    for (const side of all) side.close();
  }
}

/** A delivery to 10,000 clients must not cost more than one to 1,000. */
export async function growth(effort: Effort): Promise<void> {
  const [few, many] = possible(GROWTH.filter((size) => effort.fanOutSizes.includes(size)));
  if (many === undefined) return; // as in a quick run
  await buildLoad();
  section(
    "Fan-out as it grows",
    "CPU per delivered event with 10,000 clients as a ratio to that with 1,000, both in turns; " +
      "bursts. Target: at most 1.25.",
  );
  const rows = ROWS.filter(({ kind }, index) => index === 0 || OURS.includes(kind));
  const pairs = rows.map(({ name, kind }) => ({
    name,
    few: new Side(name, kind),
    many: new Side(name, kind),
  }));
  const all = pairs.flatMap((pair) => [pair.few, pair.many]);
  try {
    for (const pair of pairs) {
      await pair.few.open(few!);
      await pair.many.open(many);
    }
    for (const side of all) await side.bursts(effort.fanOutMs);
    const costs = await interleave(all, effort.fanOutRounds, (side) =>
      side.bursts(effort.fanOutMs),
    );
    table(
      ["bursts, 10,000 to 1,000", ...RATIO_HEAD],
      pairs.map((pair) => [
        pair.name,
        ...ratioCells(ratios(costs.get(pair.many)!, costs.get(pair.few)!)),
      ]),
    );
  } finally {
    for (const side of all) side.close();
  }
}

/** As many clients as this machine lets a process have files. */
function possible(sizes: readonly number[]): number[] {
  const files = raiseFileLimit(Math.max(...sizes) + SPARE_FILES);
  const left = sizes.filter((size) => size + SPARE_FILES <= files);
  if (left.length < sizes.length) {
    console.log(
      `\nOnly ${files} files may be open in a process here (\`ulimit -n\`): fewer clients.`,
    );
  }
  return left;
}
