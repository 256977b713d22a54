/** The longest turn of the server's event loop while events go out to very many clients. */
import { buildLoad } from "./load/build.ts";
import { raiseFileLimit } from "./load/file-limit.ts";
import { LoadClient } from "./load/load-client.ts";
import type { EveryPeer } from "./peers/every-peer.ts";
import type { Turns } from "./processes/watched-server.ts";
import { type Effort, RATIO_HEAD, ratioCells, section, table } from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";
import { WatchedServer } from "./watched.ts";

const ROWS: readonly { readonly name: string; readonly kind: EveryPeer }[] = [
  { name: "bare net, all in one turn", kind: "bare" },
  { name: "**our SSE**", kind: "sse" },
  { name: "**our NDJSON**", kind: "ndjson" },
  { name: "**our WebSocket**", kind: "websocket" },
];

const SET = "all";
const BURST = 5;
const SPARE_FILES = 200;

class Side {
  readonly #server: WatchedServer;
  readonly #load = new LoadClient();
  #control = 0;

  constructor(kind: EveryPeer) {
    this.#server = new WatchedServer(kind);
  }

  async open(connections: number): Promise<void> {
    const { port, control, joining } = await this.#server.start();
    this.#control = control;
    await this.#load.open(SET, { port, connections, ...joining });
    await this.#server.burst(BURST);
  }

  async measure(ms: number): Promise<Turns> {
    await this.#server.turns();
    await this.#load.drive(SET, { control: this.#control, events: BURST, ms });
    return this.#server.turns();
  }

  close(): void {
    this.#server.close();
    this.#load.close();
  }
}

export async function turns({ divisor }: Effort): Promise<void> {
  await buildLoad();
  const quick = divisor > 1;
  const wanted = quick ? 3_000 : 10_000;
  const clients = Math.min(wanted, raiseFileLimit(wanted + SPARE_FILES) - SPARE_FILES);
  section(
    "The longest turn of the event loop",
    `Bursts of ${BURST} events to ${clients.toLocaleString("en")} clients. Milliseconds from one ` +
      "`setImmediate` to the next, the longest of each round, in processor time and in all: the " +
      "second has in it what else the machine did. And the longest collection of garbage, which " +
      "may have been a part of such a turn. Target: at most 10 ms.",
  );
  const rows = ROWS.filter(({ kind }) => !(quick && kind === "ndjson"));
  const sides = new Map(rows.map((row) => [row, new Side(row.kind)]));
  try {
    for (const side of sides.values()) {
      await side.open(clients);
      await side.measure(quick ? 100 : 800); // compiles what is hot
    }
    const details = new Map(rows.map((row) => [row, [] as Turns[]]));
    const longest = await interleave(rows, quick ? 3 : 9, async (row) => {
      const found = await sides.get(row)!.measure(quick ? 100 : 800);
      details.get(row)!.push(found);
      return found.longestCpu;
    });
    const toBare = longest.get(rows[0]!)!;
    table(
      ["longest turn", ...RATIO_HEAD, "ms CPU, median", "min", "max", "ms", "collection"],
      rows.map((row) => {
        const cpu = longest.get(row)!;
        const middle = (of: (turns: Turns) => number) => median(details.get(row)!.map(of));
        const cells = [
          ...[median(cpu), Math.min(...cpu), Math.max(...cpu)],
          ...[middle((found) => found.longest), middle(({ collection }) => collection)],
        ];
        return [row.name, ...ratioCells(ratios(cpu, toBare)), ...cells.map((ms) => ms.toFixed(1))];
      }),
    );
  } finally {
    for (const side of sides.values()) side.close();
  }
}
