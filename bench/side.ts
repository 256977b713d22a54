/** One side of a comparison: a server in a process of its own, and the load in another. */
import { Child } from "./child.ts";
import { LoadClient, type Stats } from "./load/load-client.ts";
import type { PeerKind } from "./peers/peers.ts";
import type { FanOutQuestion, FanOutStarted } from "./processes/fan-out-server.ts";
import { BURST } from "./samples.ts";

const SET = "all";

export class Side {
  readonly name: string;
  readonly kind: PeerKind;
  /** Of the load's core, while it was measured: 1 is all of it. */
  readonly loadBusy: number[] = [];
  readonly #server: Child;
  readonly #load = new LoadClient();
  #started: FanOutStarted | undefined;
  #connections = 0;
  /** What all connections together have had since it was last counted from 0. */
  #expected = 0;

  constructor(name: string, kind: PeerKind) {
    this.name = name;
    this.kind = kind;
    this.#server = new Child("fan-out-server", [kind]);
  }

  async open(connections: number): Promise<void> {
    this.#started = await this.#ask<FanOutStarted>({ kind: "start" });
    const { port, joining } = this.#started;
    await this.#load.open(SET, { port, connections, ...joining });
    this.#connections = connections;
  }

  /**
   * Bursts in a closed loop, each published when all of the last one has arrived everywhere.
   * @returns microseconds of the server's processor time per delivered event
   */
  async bursts(ms: number): Promise<number> {
    await this.#nothingMore();
    const { control } = this.#started!;
    return this.#costs(() => this.#load.drive(SET, { control, events: BURST, ms, spin: true }));
  }

  /** Single events at equal distances, `deliveries` of them a second over all connections. */
  async steady(ms: number, deliveries: number): Promise<number> {
    await this.#nothingMore();
    const perSecond = deliveries / this.#connections;
    const events = Math.max(3, Math.round((perSecond * ms) / 1_000));
    await this.#load.zero(SET);
    await this.#load.spin(true);
    const cost = await this.#costs(async () => {
      const arrived = this.#load.wait(SET, { events });
      await this.#ask({ kind: "steady", events, perSecond });
      return arrived;
    });
    await this.#load.spin(false);
    return cost;
  }

  close(): void {
    this.#server.close();
    this.#load.close();
  }

  async #costs(work: () => Promise<Stats>): Promise<number> {
    const before = await this.#ask<number>({ kind: "cpu" });
    const { events, least, most, ms, idleMs } = await work();
    const after = await this.#ask<number>({ kind: "cpu" });
    if (least !== most) throw new Error(`${this.name}: some had ${least} events, some ${most}`);
    this.#expected = events;
    this.loadBusy.push(1 - idleMs / ms);
    return (after - before) / events;
  }

  /** An event that came twice would come now, after the round it belongs to. */
  async #nothingMore(): Promise<void> {
    const { events } = await this.#load.stats(SET);
    const more = events - this.#expected;
    if (more !== 0) throw new Error(`${this.name}: ${more} events that nobody published`);
  }

  #ask<T>(question: FanOutQuestion): Promise<T> {
    return this.#server.ask(question);
  }
}
