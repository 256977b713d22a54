/**
 * Topics in this process's memory: a ring buffer of events per topic. A restart loses the history
 * and changes the epoch, and every reader is told so.
 */
import { customAlphabet } from "nanoid";
import type { Batch, Gap, PushEvent, TopicInfo } from "../contract.ts";
import { PushError } from "../errors.ts";
import { DEFAULT_LIMITS } from "../limits.ts";
import { type Cursor, formatCursor } from "./cursor.ts";
import { Doorbell } from "./doorbell.ts";
import { RingBuffer } from "./ring-buffer.ts";
import type { LogEnds, NewEvent, ReadLimits, ReadResult, Store } from "./store.ts";

export interface MemoryStoreOptions {
  /** Events kept per topic. */
  historyEvents?: number;
  /** JSON bytes kept per topic; the newest event is kept whatever its size. */
  historyBytes?: number;
  /** How long an event is kept, in milliseconds. */
  historyAgeMs?: number;
  /** How many topics there may be. */
  topics?: number;
  /** The time, in milliseconds since the Unix epoch. */
  now?: () => number;
}

interface Entry {
  readonly event: PushEvent;
  readonly bytes: number;
}

interface Topic {
  readonly epoch: string;
  readonly log: RingBuffer<Entry>;
  readonly doorbell: Doorbell;
  bytes: number;
}

// Letters and digits only: a cursor is typed after a flag, where a dash would begin another one. Nearly
// 60 random bits, so that two lives of a topic never share one.
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const newEpoch = customAlphabet(ALPHABET, 10);

/** A read, with all that its result depends on. */
interface Read {
  readonly topic: Topic;
  readonly first: number;
  readonly last: number;
  readonly after: Cursor;
  readonly limits: ReadLimits;
  readonly result: ReadResult;
}

// Full batches that are kept, each of at most `batchBytes` of JSON: enough for thousands of readers
// that come back together from some 25 places.
const FULL = 32;

export class MemoryStore implements Store {
  readonly #topics = new Map<string, Topic>();
  readonly #options: Required<MemoryStoreOptions>;
  #newest: Read | undefined;
  /** What did not reach the end of its log, and so stays true; what was asked for last comes first. */
  #full: Read[] = [];

  constructor({
    historyEvents = DEFAULT_LIMITS.historyEvents,
    historyBytes = DEFAULT_LIMITS.historyBytes,
    historyAgeMs = DEFAULT_LIMITS.historyAgeMs,
    topics = DEFAULT_LIMITS.topics,
    now = Date.now,
  }: MemoryStoreOptions = {}) {
    this.#options = { historyEvents, historyBytes, historyAgeMs, topics, now };
  }

  create(topic: string): void {
    if (!this.#topics.has(topic)) this.#create(topic);
  }

  append(name: string, event: NewEvent): Cursor {
    const topic = this.#topics.get(name) ?? this.#create(name);
    const { log } = topic;
    const offset = log.last + 1;
    const time = this.#options.now();
    // Parsed from the text, so that no publisher can change an event that was already read.
    const data: unknown = JSON.parse(event.json);
    const bytes = Buffer.byteLength(event.json);
    const kept: PushEvent =
      event.name === undefined ? { offset, time, data } : { offset, time, name: event.name, data };
    topic.bytes += bytes - (log.push({ event: kept, bytes })?.bytes ?? 0);
    this.#evict(topic);
    topic.doorbell.ring();
    return { epoch: topic.epoch, offset };
  }

  read(name: string, after: Cursor, limits: ReadLimits): ReadResult {
    const topic = this.#get(name);
    this.#evict(topic);
    if (hasAll(topic, after)) return nothing(topic, after);
    // Readers that stand at the same place ask the same, and are given the same object.
    const { first, last } = topic.log;
    if (this.#newest && isRepeat(this.#newest, topic, after, limits)) return this.#newest.result;
    const known = this.#full.find((read) => isRepeat(read, topic, after, limits));
    const result = known ? { ...known.result, last } : collect(topic, after, limits);
    const read = { topic, first, last, after, limits, result };
    if (result.end.offset === last) this.#newest = read;
    else this.#keep(read, known);
    return result;
  }

  ends(name: string): LogEnds {
    const topic = this.#get(name);
    this.#evict(topic);
    return { epoch: topic.epoch, first: topic.log.first, last: topic.log.last };
  }

  topics(): TopicInfo[] {
    return [...this.#topics.keys()].map((topic) => {
      const { epoch, first, last } = this.ends(topic);
      return { topic, cursor: formatCursor({ epoch, offset: last }), events: last - first + 1 };
    });
  }

  watch(topic: string, ring: () => void): () => void {
    return this.#get(topic).doorbell.hang(ring);
  }

  close(): void {
    this.#newest = undefined;
    this.#full = [];
    this.#topics.clear();
  }

  #keep(read: Read, known: Read | undefined): void {
    const others = this.#full.filter((other) => other !== known && beginsTheSame(other));
    this.#full = [read, ...others.slice(0, FULL - 1)];
  }

  #get(name: string): Topic {
    const topic = this.#topics.get(name);
    if (!topic) throw new PushError("topic_not_found", `topic not found: ${name}`);
    return topic;
  }

  #create(name: string): Topic {
    if (this.#topics.size >= this.#options.topics) {
      throw new PushError("limit_exceeded", `Expected at most ${this.#options.topics} topics`);
    }
    const topic: Topic = {
      epoch: newEpoch(),
      log: new RingBuffer(this.#options.historyEvents),
      doorbell: new Doorbell(),
      bytes: 0,
    };
    this.#topics.set(name, topic);
    return topic;
  }

  #evict(topic: Topic): void {
    const { historyBytes, historyAgeMs, now } = this.#options;
    const { log } = topic;
    while (topic.bytes > historyBytes && log.size > 1) topic.bytes -= log.shift()!.bytes;
    if (historyAgeMs === Number.POSITIVE_INFINITY) return;
    const oldest = now() - historyAgeMs;
    while (log.size > 0 && log.at(log.first)!.event.time < oldest) {
      topic.bytes -= log.shift()!.bytes;
    }
  }
}

function hasAll({ epoch, log }: Topic, after: Cursor): boolean {
  return after.offset === log.last && after.epoch === epoch;
}

function nothing({ log }: Topic, end: Cursor): ReadResult {
  return { batch: { events: [], cursor: formatCursor(end) }, end, last: log.last };
}

/** Whether this question would be answered with the same batch. */
function isRepeat(read: Read, topic: Topic, after: Cursor, { limit, maxBytes }: ReadLimits) {
  return (
    read.after.offset === after.offset &&
    read.after.epoch === after.epoch &&
    read.topic === topic &&
    read.limits.limit === limit &&
    read.limits.maxBytes === maxBytes &&
    beginsTheSame(read) &&
    endsTheSame(read)
  );
}

/** Nothing was evicted since, or nothing of what follows its place. */
function beginsTheSame({ topic: { epoch, log }, first, after }: Read): boolean {
  return first === log.first || (after.epoch === epoch && after.offset >= log.first - 1);
}

/** Nothing was appended since, or it would not have had room for it. */
function endsTheSame({ topic: { log }, last, result }: Read): boolean {
  return last === log.last || result.end.offset < last;
}

function collect(topic: Topic, after: Cursor, { limit, maxBytes }: ReadLimits): ReadResult {
  const { epoch, log } = topic;
  const gap = gapBefore(after, topic);
  const from = gap ? log.first : after.offset + 1;
  const events: PushEvent[] = [];
  let bytes = 0;
  for (let offset = from; offset <= log.last && events.length < limit; offset += 1) {
    const entry = log.at(offset)!;
    bytes += entry.bytes;
    if (bytes > maxBytes && events.length > 0) break;
    events.push(entry.event);
  }
  const end = { epoch, offset: from - 1 + events.length };
  const cursor = formatCursor(end);
  const batch: Batch = gap ? { events, cursor, gap } : { events, cursor };
  return { batch, end, last: log.last };
}

/** What a reader at `after` can no longer get. */
function gapBefore(after: Cursor, { epoch, log }: Topic): Gap | undefined {
  if (after.epoch !== epoch) return { missed: null, reason: "epoch" };
  if (after.offset > log.last) {
    throw new PushError(
      "invalid_cursor",
      `Expected an offset of at most ${log.last}, got ${after.offset}`,
    );
  }
  const missed = log.first - 1 - after.offset;
  return missed > 0 ? { missed, reason: "evicted" } : undefined;
}
