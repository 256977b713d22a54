/**
 * Whatever the connections do, what comes out is 1 … N, each once and in order, or a gap that says
 * exactly what is missing. Time is made up, so an hour of trouble takes a millisecond.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Choice } from "../../client/choice.ts";
import { resume } from "../../client/resume.ts";
import { offsetOf } from "../../client/cursor.ts";
import { type TopicBatch, type Transport, TransportError } from "../../client/transport.ts";
import { wait } from "../../client/wait.ts";
import { property } from "../support/property.ts";
import { ManualTime, turn } from "./manual-time.ts";
import { aborted } from "./scripted-transport.ts";

/** What a connection does: waits, gives so many at once, shows life, fails, or falls silent. */
type Step =
  | { readonly do: "give"; readonly atMost: number; readonly afterMs: number }
  | { readonly do: "beat" | "fail" | "refuse" | "hush"; readonly afterMs: number };

interface Script {
  /** Of one transport after the other, of one of its connections after the other. */
  readonly tries: readonly (readonly (readonly Step[])[])[];
  readonly wakesAtMs: readonly number[];
  /** How many events the topic keeps. */
  readonly history: number;
  readonly everyMs: number;
  readonly readerMs: number;
}

const EVENTS = 60;

const afterMs = fc.oneof(fc.constant(0), fc.nat(2_000), fc.nat(100_000));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("give"), atMost: fc.nat(9), afterMs }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("beat", "fail", "refuse", "hush"), afterMs }),
  },
);
const script: fc.Arbitrary<Script> = fc.record({
  tries: fc.array(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 5 }), {
    minLength: 1,
    maxLength: 3,
  }),
  wakesAtMs: fc.array(fc.nat(900_000), { maxLength: 8 }),
  history: fc.oneof(fc.constant(EVENTS), fc.integer({ min: 1, max: 20 })),
  everyMs: fc.integer({ min: 1, max: 20_000 }),
  readerMs: fc.oneof(fc.constant(0), fc.nat(120_000)),
});

/** An append-only log that forgets, as a server keeps it. */
class Log {
  readonly #history: number;
  newest = 0;

  constructor(history: number) {
    this.#history = history;
  }

  after(place: number, atMost: number): TopicBatch {
    const oldest = Math.max(place, this.newest - this.#history);
    const end = Math.min(this.newest, oldest + atMost);
    const events = Array.from({ length: end - oldest }, (_, index) => ({
      offset: oldest + index + 1,
      data: null,
    }));
    const batch = { events, cursor: `e.${end}` };
    if (oldest === place) return batch;
    return { ...batch, gap: { missed: oldest - place, reason: "evicted" } };
  }
}

function transport(name: string, tries: readonly (readonly Step[])[], log: Log, time: ManualTime) {
  const state = { open: 0, tries: 0 };
  const made: Transport = {
    name,
    async *open({ after }, signal) {
      const steps = tries[state.tries];
      state.tries += 1;
      state.open += 1;
      let place = offsetOf(after);
      const give = (atMost: number) => {
        const batch = log.after(place, atMost);
        place = offsetOf(batch.cursor);
        return batch;
      };
      try {
        if (steps?.[0]?.do !== "refuse") yield give(0);
        for (const next of steps ?? []) {
          await wait(next.afterMs, { signal, setTimer: time.setTimer });
          if (next.do === "give") yield give(next.atMost);
          if (next.do === "beat") yield give(0);
          if (next.do === "hush") await aborted(signal);
          if (next.do === "fail") throw failure("connection_lost");
          if (next.do === "refuse") throw failure("unreachable");
        }
        for (;;) {
          await wait(5_000, { signal, setTimer: time.setTimer });
          yield give(100);
        }
      } finally {
        state.open -= 1;
      }
    },
  };
  return { transport: made, state };
}

const failure = (code: string) => new TransportError(code, code, { canRetry: true });

/** What has come out of it, and what it has left behind. */
async function play(
  { tries, wakesAtMs, history, everyMs, readerMs }: Script,
  {
    abortAtMs,
    leaveAfter = Number.POSITIVE_INFINITY,
  }: { abortAtMs?: number; leaveAfter?: number } = {},
) {
  const time = new ManualTime();
  const log = new Log(history);
  const all = tries.map((one, index) => transport(`t${index}`, one, log, time));
  const publish = () => {
    log.newest += 1;
    if (log.newest < EVENTS) time.setTimer(publish, everyMs);
  };
  time.setTimer(publish, everyMs);
  for (const ms of wakesAtMs) time.setTimer(() => time.wake(), ms);
  const stop = new AbortController();
  if (abortAtMs !== undefined) time.setTimer(() => stop.abort(new Error("enough")), abortAtMs);

  const made = all.map((one) => one.transport);
  const choice = new Choice(made, { now: time.now });
  const options = { signal: stop.signal, openMs: 20_000, silenceMs: 75_000, ...time.clock() };
  let expected = 1;
  let batches = 0;
  const read = async () => {
    for await (const { events, gap } of resume(choice, { after: "e.0" }, options)) {
      expect(stop.signal.aborted).toBe(false);
      expected += gap?.missed ?? 0;
      for (const { offset } of events) {
        expect(offset).toBe(expected);
        expected += 1;
      }
      batches += 1;
      if (readerMs > 0) await new Promise<void>((done) => void time.setTimer(done, readerMs));
      if (expected > EVENTS || batches >= leaveAfter) break;
    }
  };
  let isOver = false;
  const end = read().finally(() => (isOver = true));
  end.catch(() => {}); // looked at below
  while (!isOver) {
    await turn();
    const ms = time.nextInMs;
    if (ms !== undefined) time.advance(ms);
    expect(time.now()).toBeLessThan(36_000_000); // or it would wait for ever
  }
  await end;
  await turn();
  expect(all.map(({ state }) => state.open)).toEqual(all.map(() => 0));
  expect(time.sleeping).toBe(0);
  return expected - 1;
}

it("gives every event once and in order, or says exactly what is missing", () =>
  property(
    [script],
    async (one) => {
      expect(await play(one)).toBe(EVENTS);
    },
    { runs: 300 },
  ));

it("gives nothing after it was stopped, wherever that was, and leaves nothing open", () =>
  property(
    [script, fc.nat(400_000)],
    async (one, abortAtMs) => {
      await play(one, { abortAtMs });
    },
    { runs: 200 },
  ));

it("leaves nothing open when its reader leaves, wherever that is", () =>
  property(
    [script, fc.integer({ min: 1, max: 20 })],
    async (one, leaveAfter) => {
      await play(one, { leaveAfter });
    },
    { runs: 200 },
  ));
