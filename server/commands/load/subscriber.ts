/** One of many: connects, counts and checks what comes, and comes back after a failure, for ever. */
import { cursorBefore, epochOf, offsetOf } from "../../../client/cursor.ts";
import { lost } from "../../../client/failures.ts";
import { backoffDelay } from "../../../client/backoff.ts";
import { mayPass } from "../../../client/resume.ts";
import { minDelay } from "../../../client/retry.ts";
import type { Place, TopicBatch, TransportError } from "../../../client/transport.ts";
import type { Gap } from "../../contract.ts";
import type { EventTimes } from "./event-times.ts";
import type { Gate } from "./gate.ts";
import { cursorParts, Ledger } from "./ledger.ts";
import type { Tally } from "./tally.ts";
import type { OpenWire, Wire, WireListener } from "./wire.ts";

/** What all subscribers share. */
export interface Crowd {
  readonly openWire: OpenWire;
  /** Where each one begins. */
  readonly place: Place;
  readonly tally: Tally;
  readonly gate: Gate;
  /** For streams whose events carry no time. */
  readonly times: EventTimes;
  /** Told of whatever happens to a client; undefined when nobody wants to know. */
  readonly debug: ((client: number, what: string) => void) | undefined;
  /** This client will not try again. */
  readonly onEnd: () => void;
}

const OPEN_MS = 20_000; // how long a server may take to answer
const STABLE_MS = 10_000; // as in the client: then the next failure is a first one

export class Subscriber implements WireListener {
  readonly #client: number;
  readonly #crowd: Crowd;
  readonly #ledger: Ledger;
  #wire: Wire | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  /** When it was connected, in milliseconds since the Unix epoch; undefined while it is not. */
  #since: number | undefined;
  #greeted = false;
  #everConnected = false;
  /** The last id of a server whose ids are no cursors. */
  #foreignId: string | undefined;

  constructor(client: number, crowd: Crowd) {
    this.#client = client;
    this.#crowd = crowd;
    this.#ledger = new Ledger(client, crowd.tally);
  }

  connect(): void {
    this.#crowd.gate.enter(() => {
      const { openWire, place, tally } = this.#crowd;
      tally.connecting += 1;
      const after = this.#foreignId ?? this.#ledger.cursor;
      this.#timer = setTimeout(() => this.#tooLate(), OPEN_MS);
      this.#wire = openWire(after === undefined ? place : { after }, this);
    });
  }

  opened(): void {
    const { tally, gate } = this.#crowd;
    this.#leaveGate();
    this.#since = Date.now();
    this.#greeted = false;
    tally.connected += 1;
    tally.mostConnected = Math.max(tally.mostConnected, tally.connected);
    if (this.#everConnected) tally.reconnects += 1;
    else tally.everConnected += 1;
    this.#everConnected = true;
    this.#debug("connected");
    gate.leave();
  }

  batch(batch: TopicBatch): void {
    const { events, cursor, gap } = batch;
    const greeting = !this.#greeted;
    this.#greeted = true;
    if (gap) this.gap(cursorBefore(batch), gap);
    const epoch = epochOf(cursor);
    const now = Date.now();
    for (const { offset, time, data } of events) {
      this.#crowd.tally.messages += 1;
      this.#ledger.event(epoch, offset);
      this.#debug("message", `${epoch}.${offset}`, data);
      if (time !== undefined && time >= this.#since!) this.#crowd.tally.delays.record(now - time);
    }
    if (events.length === 0 && !gap && !greeting) this.heartbeat();
    this.#ledger.end(epoch, offsetOf(cursor), events.at(-1)?.offset);
  }

  event(id: string | undefined, data: string): void {
    const { tally, times } = this.#crowd;
    tally.messages += 1;
    this.#debug("message", id, data);
    if (id !== undefined && this.#ledger.eventById(id)) {
      const { offset } = this.#ledger;
      const epoch = this.#ledger.epoch!;
      if (!times.started) times.start(`${epoch}.${offset - 1}`);
      times.arrived(epoch, offset, { at: Date.now(), since: this.#since! });
      return;
    }
    tally.unnumbered += 1;
    this.#foreignId = id;
  }

  gap(id: string, { missed, reason }: Gap): void {
    const parts = cursorParts(id);
    if (parts) this.#ledger.gap(parts.epoch, parts.offset, missed);
    this.#debug("gap", id, { missed, reason });
  }

  place(id: string): void {
    const parts = cursorParts(id);
    if (!parts) return;
    this.#ledger.place(parts.epoch, parts.offset);
    if (!this.#crowd.times.started) this.#crowd.times.start(id);
  }

  heartbeat(): void {
    this.#crowd.tally.heartbeats += 1;
    this.#debug("heartbeat");
  }

  bytes(count: number): void {
    this.#crowd.tally.bytes += count;
  }

  ended(failure: TransportError): void {
    const { tally, gate, onEnd } = this.#crowd;
    tally.failed(failure);
    this.#debug("error", failure.message);
    if (this.#since === undefined) {
      this.#leaveGate();
      gate.leave();
    } else {
      tally.connected -= 1;
      if (Date.now() - this.#since >= STABLE_MS) this.#attempt = 0;
      this.#since = undefined;
    }
    if (!mayPass(failure, { hasRead: this.#everConnected })) {
      tally.endedForGood += 1;
      onEnd();
      return;
    }
    const delayMs = backoffDelay(this.#attempt, { minMs: minDelay(failure) });
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.connect(), delayMs);
  }

  #tooLate(): void {
    this.#wire?.close();
    this.ended(lost(`The server has not answered for ${OPEN_MS / 1_000} s`));
  }

  #leaveGate(): void {
    clearTimeout(this.#timer);
    this.#crowd.tally.connecting -= 1;
  }

  #debug(what: string, id?: string, value?: unknown): void {
    const { debug } = this.#crowd;
    if (!debug) return;
    const text = typeof value === "string" || value === undefined ? value : JSON.stringify(value);
    debug(this.#client, [what, id, text].filter((part) => part !== undefined).join(" "));
  }
}
