import { describe, expect, it, onTestFinished } from "vitest";
import { Choice } from "../../client/choice.ts";
import { resume } from "../../client/resume.ts";
import type { ConnectionStatus } from "../../client/status.ts";
import { type TopicBatch, type Transport, TransportError } from "../../client/transport.ts";
import { ManualTime, turn } from "./manual-time.ts";
import { batch, empty, gap, scripted, type Step } from "./scripted-transport.ts";

const MIN_MS = 250;
const BETTER_MS = 5 * 60_000;
const OPTIONS = { openMs: 20_000, silenceMs: 3_600_000 };

const lost = new TransportError("connection_lost", "it was lost", { canRetry: true });
const blocked = new TransportError("connection_lost", "The handshake failed", { canRetry: true });

/** A promise that a test keeps when it likes: a step waits for it. */
function event() {
  let happen = () => {};
  const happened = new Promise<void>((resolve) => (happen = resolve));
  return Object.assign(happened, { happen: () => happen() });
}

/** Reads, and writes down what comes out. Nothing is left open in the end. */
function reader(transports: readonly Transport[]) {
  const time = new ManualTime();
  const stop = new AbortController();
  const got: TopicBatch[] = [];
  const statuses: ConnectionStatus[] = [];
  const { now } = time;
  const choice = new Choice(transports, { now });
  const onStatus = (status: ConnectionStatus) => void statuses.push(status);
  const read = async () => {
    const options = { signal: stop.signal, onStatus, ...OPTIONS, ...time.clock() };
    for await (const one of resume(choice, { after: "e.0" }, options)) got.push(one);
  };
  const end = read().catch((error: unknown) => error);
  onTestFinished(async () => {
    stop.abort(new Error("the test is over"));
    await end;
    expect(time.waiting + time.sleeping).toBe(0);
  });
  const until = (cursor: string) => expect.poll(() => got.at(-1)?.cursor).toBe(cursor);
  const wake = () => {
    time.advance(MIN_MS); // after the last try
    time.wake();
    time.advance(0);
  };
  const offsets = () => got.flatMap(({ events }) => events.map(({ offset }) => offset));
  return { time, stop, got, statuses, choice, end, until, wake, offsets };
}

describe("after a wake-up", () => {
  it("the old connection stays when it shows life first, and the other is closed", async () => {
    const life = event();
    const { transport, places, openNow } = scripted([[batch(1, 2), life, batch(3, 3)], []]);
    const { until, wake, offsets } = reader([transport]);
    await until("e.2");
    wake();
    await expect.poll(() => places).toEqual([{ after: "e.0" }, { after: "e.2" }]);
    expect(openNow()).toBe(2);
    life.happen();
    await until("e.3");
    await expect.poll(openNow).toBe(1);
    expect(offsets()).toEqual([1, 2, 3]);
  });

  it("the new one takes over with its first batch, and the old one is closed only then", async () => {
    const answer = event();
    const { transport, openNow } = scripted([[batch(1, 2)], [answer, empty(2), batch(3, 4)]]);
    const { until, wake, offsets, statuses } = reader([transport]);
    await until("e.2");
    wake();
    await expect.poll(openNow).toBe(2);
    answer.happen();
    await until("e.4");
    await expect.poll(openNow).toBe(1);
    expect(offsets()).toEqual([1, 2, 3, 4]);
    expect(statuses.map(({ state }) => state)).toEqual(["connecting", "connected"]);
  });

  it("is asked once, not at each of many wake-ups, and never sooner than the minimum", async () => {
    const { transport, places } = scripted([[batch(1, 1)], [], []]);
    const { until, time } = reader([transport]);
    await until("e.1");
    for (let wakes = 0; wakes < 20; wakes += 1) time.wake();
    time.advance(MIN_MS - 1);
    await turn();
    expect(places).toHaveLength(1);
    time.advance(1);
    await expect.poll(() => places.length).toBe(2);
    for (let wakes = 0; wakes < 20; wakes += 1) time.wake();
    time.advance(MIN_MS);
    await turn();
    expect(places).toHaveLength(2);
  });

  it("a replacement that fails does no harm", async () => {
    const more = event();
    const { transport, openNow } = scripted([[batch(1, 2), more, batch(3, 3)], [lost]]);
    const { until, wake, offsets, statuses } = reader([transport]);
    await until("e.2");
    wake();
    await expect.poll(openNow).toBe(1);
    more.happen();
    await until("e.3");
    expect(offsets()).toEqual([1, 2, 3]);
    expect(statuses.at(-1)!.state).toBe("connected");
  });

  it("the new one is all there is when the old one dies meanwhile", async () => {
    const [death, answer] = [event(), event()];
    const { transport, openNow } = scripted([
      [batch(1, 2), death, lost],
      [answer, batch(3, 4)],
    ]);
    const { until, wake, offsets, statuses } = reader([transport]);
    await until("e.2");
    wake();
    await expect.poll(openNow).toBe(2);
    death.happen();
    await expect.poll(openNow).toBe(1);
    answer.happen();
    await until("e.4");
    expect(offsets()).toEqual([1, 2, 3, 4]);
    expect(statuses.at(-1)!.state).toBe("connected");
  });

  it("what ends both is told, and when to come back with it", async () => {
    const busy = new TransportError("limit_exceeded", "busy", {
      canRetry: true,
      retryAfterMs: 4_000,
    });
    const [death, answer] = [event(), event()];
    const { transport, openNow } = scripted([
      [batch(1, 2), death, lost],
      [answer, busy],
    ]);
    const { until, wake, statuses } = reader([transport]);
    await until("e.2");
    wake();
    await expect.poll(openNow).toBe(2);
    death.happen();
    await expect.poll(openNow).toBe(1);
    answer.happen();
    await expect.poll(() => statuses.at(-1)).toMatchObject({ message: "busy", retryInMs: 4_000 });
  });
});

describe("a better transport", () => {
  /** The worse one is read, since the better one was in the way of something. */
  const fallen = async (better: Step[][], worse: Step[][]) => {
    const [good, bad] = [scripted([[blocked], ...better], "good"), scripted(worse, "bad")];
    const read = reader([good.transport, bad.transport]);
    await expect.poll(() => read.statuses.at(-1)!.retryInMs).toBe(MIN_MS);
    read.time.advance(MIN_MS);
    await expect.poll(() => read.statuses.at(-1)!.transport).toBe("bad");
    return { good, bad, ...read };
  };

  it("is tried again after five minutes, beside the one that works, and takes over", async () => {
    const answer = event();
    const read = await fallen([[answer, empty(2), batch(3, 4)]], [[batch(1, 2)]]);
    const { good, bad, time, until, offsets, statuses } = read;
    await until("e.2");
    time.advance(BETTER_MS / 10);
    expect(good.places).toHaveLength(1);
    answer.happen();
    await lookedUp(read);
    await until("e.4");
    await expect.poll(bad.openNow).toBe(0);
    expect(good.places.at(-1)).toEqual({ after: "e.2" });
    expect(offsets()).toEqual([1, 2, 3, 4]);
    expect(statuses.at(-1)).toMatchObject({ state: "connected", transport: "good" });
  });

  it("that fails again does so quietly, whatever with, and has its next turn much later", async () => {
    const forbidden = new TransportError("forbidden", "no", { canRetry: false });
    const more = event();
    const read = await fallen([[forbidden], [batch(4, 4)]], [[batch(1, 2), more, batch(3, 3)]]);
    const { good, until, offsets, statuses } = read;
    await until("e.2");
    await lookedUp(read);
    await expect.poll(good.openNow).toBe(0);
    more.happen();
    await until("e.3");
    expect(statuses.at(-1)).toMatchObject({ state: "connected", transport: "bad" });
    await lookedUp(read);
    await until("e.4");
    expect(offsets()).toEqual([1, 2, 3, 4]);
  });

  it("gives again what the other has given meanwhile: it is cut off, once", async () => {
    const [more, answer] = [event(), event()];
    const late = { ...batch(6, 8), ...gap(3) }; // it lost 3, 4, 5; the other one has 3 and 4
    const read = await fallen([[answer, late, batch(9, 9)]], [[batch(1, 2), more, batch(3, 4)]]);
    await read.until("e.2");
    await lookedUp(read);
    await expect.poll(read.good.openNow).toBe(1);
    more.happen();
    await read.until("e.4");
    answer.happen();
    await read.until("e.9");
    expect(read.got.find(({ gap: lostHere }) => lostHere)).toEqual({
      ...batch(6, 8),
      gap: { missed: 1, reason: "evicted" },
    });
    expect(read.offsets()).toEqual([1, 2, 3, 4, 6, 7, 8, 9]);
  });

  it("that is far behind gives nothing until it has caught up", async () => {
    const [more, answer] = [event(), event()];
    const read = await fallen(
      [[answer, empty(2), batch(3, 4), batch(5, 7)]],
      [[batch(1, 2), more, batch(3, 6)]],
    );
    await read.until("e.2");
    await lookedUp(read);
    await expect.poll(read.good.openNow).toBe(1);
    more.happen();
    await read.until("e.6");
    answer.happen();
    await read.until("e.7");
    expect(read.offsets()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(read.got.map(({ cursor }) => cursor)).toEqual(["e.2", "e.6", "e.6", "e.6", "e.7"]);
  });

  it("may not repeat when it has caught up", async () => {
    const read = await fallen(
      [[empty(2), batch(3, 4), batch(4, 5)]],
      [[batch(1, 2)], [batch(5, 5)]],
    );
    await read.until("e.2");
    await lookedUp(read);
    await expect.poll(() => read.statuses.at(-1)!.message).toMatch(/repeat/);
    read.time.advance(MIN_MS);
    await read.until("e.5");
    expect(read.offsets()).toEqual([1, 2, 3, 4, 5]); // the other one goes on where order ended
  });

  it("has its turn too when a wake-up came between", async () => {
    const life = event();
    const read = await fallen([[batch(4, 4)]], [[batch(1, 2), life, batch(3, 3)], ["silence"]]);
    await read.until("e.2");
    read.time.advance(BETTER_MS - MIN_MS - 1); // since it was given up
    read.time.wake();
    read.time.advance(0);
    await expect.poll(read.bad.openNow).toBe(2);
    read.time.advance(1); // its time comes and goes
    await turn();
    expect(read.good.places).toHaveLength(1);
    life.happen();
    await read.until("e.3");
    await expect.poll(() => read.time.nextInMs).toBeDefined();
    read.time.advance(0);
    await read.until("e.4");
    expect(read.offsets()).toEqual([1, 2, 3, 4]);
  });

  it("does not tell a new epoch again that the other has told", async () => {
    const [more, answer] = [event(), event()];
    const anew = { ...batch(1, 5, "f"), ...gap(null, "epoch") };
    const read = await fallen(
      [[answer, { ...anew, ...batch(1, 6, "f") }]],
      [[batch(1, 2), more, anew]],
    );
    await read.until("e.2");
    await lookedUp(read);
    await expect.poll(read.good.openNow).toBe(1);
    more.happen();
    await read.until("f.5");
    answer.happen();
    await read.until("f.6");
    expect(read.got.filter((one) => one.gap)).toEqual([anew]);
    expect(read.offsets()).toEqual([1, 2, 1, 2, 3, 4, 5, 6]);
  });

  it("is not taken with a batch that was on its way before the log began anew", async () => {
    const [more, late, last] = [event(), event(), event()];
    const anew = { ...batch(1, 5, "f"), ...gap(null, "epoch") };
    const read = await fallen(
      [[late, batch(3, 3)]],
      [[batch(1, 2), more, anew, last, batch(6, 6, "f")]],
    );
    await read.until("e.2");
    await lookedUp(read);
    await expect.poll(read.good.openNow).toBe(1);
    more.happen();
    await read.until("f.5");
    const told = read.statuses.length;
    late.happen();
    await expect.poll(read.good.openNow).toBe(0);
    last.happen();
    await read.until("f.6");
    expect(read.offsets()).toEqual([1, 2, 1, 2, 3, 4, 5, 6]);
    expect(read.statuses).toHaveLength(told);
  });

  it("goes on after what was in order, where a worse one has skipped something", async () => {
    const [first, second] = [
      scripted([[batch(1, 2), batch(5, 6)]]),
      scripted([[batch(3, 4)]], "b"),
    ];
    const read = reader([first.transport, second.transport]);
    await expect.poll(() => read.statuses.at(-1)).toMatchObject({ retryInMs: MIN_MS });
    expect(read.statuses.at(-1)!.message).toMatch(/skip/);
    read.time.advance(MIN_MS);
    await read.until("e.4");
    expect(second.places).toEqual([{ after: "e.2" }]);
    expect(read.offsets()).toEqual([1, 2, 3, 4]);
  });

  it("that takes the place of one that died, and fails for good, leaves it to be tried again", async () => {
    const forbidden = new TransportError("forbidden", "no", { canRetry: false });
    const [death, answer] = [event(), event()];
    const read = await fallen([[answer, forbidden]], [[batch(1, 2), death, lost], [batch(3, 3)]]);
    await read.until("e.2");
    await lookedUp(read);
    await expect.poll(read.good.openNow).toBe(1);
    death.happen();
    await expect.poll(read.bad.openNow).toBe(0);
    answer.happen();
    await expect.poll(() => read.statuses.at(-1)!.retryInMs).toBe(MIN_MS);
    expect(read.statuses.at(-1)!.message).toBe("it was lost");
    read.time.advance(MIN_MS);
    await read.until("e.3");
    expect(read.bad.places).toEqual([{ after: "e.0" }, { after: "e.2" }]);
  });

  const lookedUp = async ({ time, good }: Awaited<ReturnType<typeof fallen>>) => {
    const tries = good.places.length;
    time.advance(BETTER_MS);
    await expect.poll(() => good.places.length).toBe(tries + 1);
  };
});

it("a reader that was stopped between two batches, and never came back, leaves nothing", async () => {
  const time = new ManualTime();
  const stop = new AbortController();
  const [first, second] = [scripted([[blocked]]), scripted([[batch(1, 2)]], "second")];
  const choice = new Choice([first.transport, second.transport], { now: time.now });
  const batches = resume(choice, {}, { signal: stop.signal, ...OPTIONS, ...time.clock() });
  const one = batches.next();
  await expect.poll(() => time.nextInMs).toBe(MIN_MS); // also where nobody asks for the status
  time.advance(MIN_MS);
  expect((await one).value).toEqual(batch(1, 2));
  expect(time.waiting).toBe(1); // until the better one is looked at
  stop.abort(new Error("enough"));
  expect(time.waiting + time.sleeping).toBe(0);
  await expect.poll(second.openNow).toBe(0);
});
