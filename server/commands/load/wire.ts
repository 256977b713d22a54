/**
 * What carries the events to one subscriber, and what it tells. Thousands of these live in one
 * process, so nothing is made for an event that can be avoided: plain calls with plain values.
 */
import type { Gap } from "../../contract.ts";
import type { Place, TopicBatch, TransportError } from "../../../client/transport.ts";

export interface WireListener {
  /** The server has taken the request. */
  opened(): void;
  /** A batch with everything in it. An empty one after the first is a heartbeat. */
  batch(batch: TopicBatch): void;
  /** One event of a stream. @param id its cursor; undefined when the stream carries none */
  event(id: string | undefined, data: string): void;
  gap(id: string, gap: Gap): void;
  /** Where the reader is, said without an event. */
  place(id: string): void;
  heartbeat(): void;
  bytes(count: number): void;
  /** Once, and nothing comes after it. Not after `close`. */
  ended(failure: TransportError): void;
}

export interface Wire {
  close(): void;
}

/** Begins to open one; what comes of it is told. */
export type OpenWire = (place: Place, listener: WireListener) => Wire;
