/** What all subscribers have seen together. Only the true totals; nothing here is an estimate. */
import type { TransportError } from "../../../client/transport.ts";
import { Histogram } from "./histogram.ts";

export class Tally {
  connecting = 0;
  connected = 0;
  /** The most that were connected at one moment. */
  mostConnected = 0;
  /** Clients that have been connected at least once. */
  everConnected = 0;
  /** Clients for which trying again cannot help. */
  endedForGood = 0;
  reconnects = 0;
  messages = 0;
  bytes = 0;
  heartbeats = 0;
  gaps = 0;
  /** Events that the gaps told of, as far as they were counted. */
  missed = 0;
  errors = 0;
  /** Events without an id. */
  unnumbered = 0;
  /** Events that came twice. */
  duplicates = 0;
  /** Events that came after one with a higher offset. */
  outOfOrder = 0;
  /** Events that did not come, and no gap told so. */
  lost = 0;
  /** Gaps and cursors that do not fit what came before. */
  misplaced = 0;
  /** Milliseconds from publishing to here. */
  readonly delays = new Histogram();
  /** How often each kind of error came. */
  readonly kinds = new Map<string, number>();
  /** The first violations, for people. */
  readonly examples: string[] = [];

  get violations(): number {
    return this.duplicates + this.outOfOrder + this.lost + this.misplaced;
  }

  failed({ message, code }: TransportError): void {
    this.errors += 1;
    const kind = `${message} (${code})`;
    const known = this.kinds.get(kind);
    if (known !== undefined || this.kinds.size < MAX_KINDS) this.kinds.set(kind, (known ?? 0) + 1);
  }

  violated(example: string): void {
    if (this.examples.length < MAX_EXAMPLES) this.examples.push(example);
  }
}

const MAX_KINDS = 20; // messages may carry what differs each time
const MAX_EXAMPLES = 10;
