/** How long an event takes from publishing to a thousand clients, at a rate that is steady. */
import { buildLoad } from "./load/build.ts";
import { type Delays, LoadClient } from "./load/load-client.ts";
import type { EveryPeer } from "./peers/every-peer.ts";
import { type Effort, section, table } from "./report.ts";
import { interleave, median } from "./rounds.ts";
import { WatchedServer } from "./watched.ts";

const ROWS: readonly { readonly name: string; readonly kind: EveryPeer }[] = [
  { name: "bare net limit", kind: "bare" },
  { name: "the same again, as a control", kind: "bare" },
  { name: "**our SSE**", kind: "sse" },
  { name: "**our NDJSON**", kind: "ndjson" },
  { name: "**our WebSocket**", kind: "websocket" },
];

const CLIENTS = 1_000;
const PER_SECOND = 200;
const SET = "all";

class Side {
  readonly #server: WatchedServer;
  readonly #load = new LoadClient();

  constructor(kind: EveryPeer) {
    this.#server = new WatchedServer(kind);
  }

  async open(): Promise<void> {
    const { port, joining } = await this.#server.start();
    await this.#load.open(SET, { port, connections: CLIENTS, ...joining });
  }

  async measure(ms: number): Promise<Delays> {
    const events = Math.ceil((ms * PER_SECOND) / 1_000);
    await this.#load.zero(SET);
    await this.#load.spin(true); // to be woken takes longer than what is measured
    const arrived = this.#load.wait(SET, { events });
    await this.#server.steady(events, PER_SECOND);
    const stats = await arrived;
    await this.#load.spin(false);
    return stats.delay;
  }

  close(): void {
    this.#server.close();
    this.#load.close();
  }
}

export async function delay({ divisor }: Effort): Promise<void> {
  await buildLoad();
  const quick = divisor > 1;
  const ms = quick ? 300 : 1_500;
  section(
    "Delay",
    `Milliseconds from when an event was due to arriving, ${PER_SECOND} events a second to ` +
      `${CLIENTS.toLocaleString("en")} clients, and how much more than the bare limit in the same ` +
      "round. An event reaches the first client long before the last, so half of what the whole " +
      "fan-out takes is in the median. A machine that does something else shows in all but the " +
      "best rounds. Target: at most 1 ms more.",
  );
  const rows = ROWS.filter(({ kind }) => !(quick && kind === "ndjson"));
  const sides = new Map(rows.map((row) => [row, new Side(row.kind)]));
  try {
    for (const side of sides.values()) {
      await side.open();
      await side.measure(ms); // compiles what is hot
    }
    const details = new Map(rows.map((row) => [row, [] as Delays[]]));
    await interleave(rows, quick ? 3 : 15, async (row) => {
      const delays = await sides.get(row)!.measure(ms);
      details.get(row)!.push(delays);
      return delays.p50;
    });
    const limit = details.get(rows[0]!)!;
    const more = (row: (typeof ROWS)[number], at: "p50" | "p99") =>
      range(details.get(row)!.map((delays, round) => delays[at] - limit[round]![at]));
    const values = (row: (typeof ROWS)[number], at: "p50" | "p99") =>
      details.get(row)!.map((delays) => delays[at]);
    table(
      ["delay", "p50, more", "p99, more", "p50", "best round", "p99", "best round"],
      rows.map((row) => [
        row.name,
        more(row, "p50"),
        more(row, "p99"),
        median(values(row, "p50")).toFixed(2),
        Math.min(...values(row, "p50")).toFixed(2),
        median(values(row, "p99")).toFixed(2),
        Math.min(...values(row, "p99")).toFixed(2),
      ]),
    );
  } finally {
    for (const side of sides.values()) side.close();
  }
}

/** Median, and from where to where. */
function range(values: readonly number[]): string {
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)];
  return `${middle.toFixed(2)} (${least.toFixed(2)} … ${most.toFixed(2)})`;
}
