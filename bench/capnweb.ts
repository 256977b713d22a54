/**
 * What an event costs the server that reaches real Cap'n Web clients, against the product's own
 * WebSocket transport, the bare limit, and the library used without the product. All of the clients
 * are Node's.
 */
import { Child } from "./child.ts";
import type { PeerKind } from "./peers/peers.ts";
import type { Arrived, ReaderKind, ReadersQuestion } from "./processes/capnweb-readers.ts";
import type { FanOutQuestion, FanOutStarted } from "./processes/fan-out-server.ts";
import { type Effort, micros, ratioRange, section, table } from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";

const CLIENTS = 1_000;
const EVENTS_PER_SECOND = 20;
const WARM_UPS = 3;

const SIDES: readonly [name: string, server: PeerKind, readers: ReaderKind][] = [
  ["bare net limit", "bare", "net"],
  ["our WebSocket", "websocket", "websocket"],
  ["**our `listen`**", "websocket", "listen"],
  ["**our `tail`**", "websocket", "tail"],
  ["capnweb alone, awaited callback", "capnweb", "plain callback"],
  ["capnweb alone, `ReadableStream`", "capnweb", "plain stream"],
];

class Side {
  readonly name: string;
  readonly #kind: ReaderKind;
  readonly #server: Child;
  readonly #readers = new Child("capnweb-readers");
  /** Of the clients' processor: 1 is a whole core. */
  readonly loadBusy: number[] = [];

  constructor(name: string, server: PeerKind, readers: ReaderKind) {
    this.name = name;
    this.#kind = readers;
    this.#server = new Child("fan-out-server", [server]);
  }

  async open(): Promise<void> {
    const { port, control } = await this.#ask<FanOutStarted>({ kind: "start" });
    const readers = this.#kind;
    await this.#read({ kind: "open", readers, port, control, clients: CLIENTS });
  }

  /** @returns microseconds of the server's processor time per delivered event */
  bursts(ms: number): Promise<number> {
    return this.#costs(() => this.#read({ kind: "bursts", ms }));
  }

  async steady(ms: number): Promise<number> {
    const events = Math.ceil((EVENTS_PER_SECOND * ms) / 1_000);
    await this.#read({ kind: "zero" });
    return this.#costs(async () => {
      const arrived = this.#read<Arrived>({ kind: "arrived", events });
      await this.#ask({ kind: "steady", events, perSecond: EVENTS_PER_SECOND });
      return arrived;
    });
  }

  close(): void {
    this.#server.close();
    this.#readers.close();
  }

  async #costs(work: () => Promise<Arrived>): Promise<number> {
    const before = await this.#ask<number>({ kind: "cpu" });
    const { events, ms, cpuMs } = await work();
    const after = await this.#ask<number>({ kind: "cpu" });
    this.loadBusy.push(cpuMs / ms);
    return (after - before) / events;
  }

  #ask<T>(question: FanOutQuestion): Promise<T> {
    return this.#server.ask(question);
  }

  #read<T>(question: ReadersQuestion): Promise<T> {
    return this.#readers.ask(question);
  }
}

export async function capnweb({ fanOutRounds: rounds, fanOutMs: ms }: Effort): Promise<void> {
  section(
    "Cap'n Web",
    `CPU of the server per delivered event, ${CLIENTS.toLocaleString("en")} clients in Node, each ` +
      "with one session of the real library. Bursts: five events in one turn of the event loop, " +
      `the next five when all have arrived; steady: ${EVENTS_PER_SECOND} single events a second. ` +
      "Targets: bursts at most 1.2 × our own WebSocket transport, steady at most 3 × the limit.",
  );
  const sides = SIDES.map((side) => new Side(...side));
  const [bare, webSocket] = sides;
  try {
    for (const side of sides) {
      await side.open();
      for (let time = 0; time < WARM_UPS; time += 1) await side.bursts(ms);
    }
    for (const load of ["bursts", "steady"] as const) {
      for (const side of sides) side.loadBusy.length = 0;
      const slice = load === "bursts" ? ms : 2 * ms;
      const costs = await interleave(sides, rounds, (side) => side[load](slice));
      table(
        [load, "to our WebSocket", "to the bare limit", "µs CPU", "clients busy"],
        sides.map((side) => [
          side.name,
          ratioRange(ratios(costs.get(side)!, costs.get(webSocket!)!)),
          ratioRange(ratios(costs.get(side)!, costs.get(bare!)!)),
          micros(costs.get(side)!),
          `${(100 * median(side.loadBusy)).toFixed(0)} %`,
        ]),
      );
    }
  } finally {
    for (const side of sides) side.close();
  }
}
