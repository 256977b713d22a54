/** A server that can be measured: the product, or what it is compared with. */
import type { Joining } from "../load/load-client.ts";

export interface Peer {
  readonly port: number;
  /** How its clients begin. */
  readonly joining: Joining;
  /** One event to all clients. */
  publish(event: Stamped): void;
  /** Microseconds of processor time so far, when it is not this process that delivers. */
  cpu?(): number;
}

/** An event of 200 bytes of JSON; `text` holds the time at which it was published. */
export interface Stamped {
  readonly data: object;
  readonly json: string;
}

export type StartPeer = () => Promise<Peer>;
