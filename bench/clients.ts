/**
 * Clients of a watched server: the load client's, or real Cap'n Web sessions where only a call leads
 * to events.
 */
import { Child } from "./child.ts";
import { type Delays, LoadClient, type Stats } from "./load/load-client.ts";
import { type EveryPeer, RPC_CALLS, type RpcCall } from "./peers/every-peer.ts";
import type { RpcQuestion } from "./processes/rpc-clients.ts";
import type { WatchedStarted } from "./processes/watched-server.ts";

export interface Clients {
  open(set: string, connections: number, server: WatchedStarted): Promise<void>;
  closeSet(set: string): Promise<void>;
  /** They read no byte any more. */
  freeze(set: string): Promise<void>;
  /** @returns how long the events took to arrive */
  drive(set: string, driving: Driving): Promise<Delays>;
  close(): void;
}

/** Bursts in a closed loop: the next when all of the set have the last, until all have `total`. */
export interface Driving {
  readonly control: number;
  readonly events: number;
  readonly total: number;
}

export function clientsOf(kind: EveryPeer): Clients {
  const call = (RPC_CALLS as Partial<Record<EveryPeer, RpcCall>>)[kind];
  return call ? new RpcClients(call) : new LoadClients();
}

class LoadClients implements Clients {
  readonly #load = new LoadClient();

  async open(set: string, connections: number, { port, joining }: WatchedStarted): Promise<void> {
    await this.#load.open(set, { port, connections, ...joining });
  }

  closeSet(set: string): Promise<void> {
    return this.#load.closeSet(set);
  }

  freeze(set: string): Promise<void> {
    return this.#load.pause(set);
  }

  /** The load client takes a time, not a number: the second slice is as long as the rest will take. */
  async drive(set: string, { control, events, total }: Driving): Promise<Delays> {
    let longest = await this.#load.drive(set, { control, events, ms: FIRST_SLICE_MS });
    const perMs = longest.least / longest.ms;
    for (let rest = total - longest.least; rest > 0;) {
      const ms = Math.max(1, Math.ceil(rest / perMs));
      const stats = await this.#load.drive(set, { control, events, ms });
      rest -= stats.least;
      longest = longer(longest, stats); // percentiles cannot be added
    }
    return longest.delay;
  }

  close(): void {
    this.#load.close();
  }
}

class RpcClients implements Clients {
  readonly #call: RpcCall;
  readonly #process = new Child("rpc-clients");

  constructor(call: RpcCall) {
    this.#call = call;
  }

  open(set: string, connections: number, { port }: WatchedStarted): Promise<void> {
    return this.#ask({ kind: "open", set, port, call: this.#call, connections });
  }

  closeSet(set: string): Promise<void> {
    return this.#ask({ kind: "close", set });
  }

  freeze(set: string): Promise<void> {
    return this.#ask({ kind: "freeze", set });
  }

  drive(set: string, driving: Driving): Promise<Delays> {
    return this.#ask({ kind: "drive", set, ...driving });
  }

  close(): void {
    this.#process.close();
  }

  #ask<T>(question: RpcQuestion): Promise<T> {
    return this.#process.ask(question);
  }
}

const FIRST_SLICE_MS = 200; // tells how fast it goes

function longer(a: Stats, b: Stats): Stats {
  return b.least > a.least ? b : a;
}
