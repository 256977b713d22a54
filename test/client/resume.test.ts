import { describe, expect, it } from "vitest";
import { Choice } from "../../client/choice.ts";
import type { ConnectionStatus } from "../../client/status.ts";
import { resume, type ResumeOptions } from "../../client/resume.ts";
import { type Place, TransportError } from "../../client/transport.ts";
import { ManualTime } from "./manual-time.ts";
import { batch, empty, gap, scripted, type Step } from "./scripted-transport.ts";

const SILENCE_MS = 75_000;
const OPEN_MS = 20_000;
const MIN_MS = 250;

const failure = (canRetry = true, retryAfterMs?: number) =>
  new TransportError("internal", "it broke", { canRetry, retryAfterMs });

/** The reading of a transport that gives what it is told to, try after try. */
function reading(
  tries: Step[][],
  from: Place = {},
  { random, ...options }: Partial<ResumeOptions> = {},
) {
  const time = new ManualTime();
  const stop = new AbortController();
  const statuses: ConnectionStatus[] = [];
  const { transport, places, openNow } = scripted(tries);
  const batches = resume(transport, from, {
    signal: stop.signal,
    onStatus: (status) => statuses.push(status),
    ...time.clock(random),
    ...options,
  });
  const next = async () => {
    const { value } = await batches.next();
    return value?.cursor;
  };
  /** The next batch, when it takes a new try to get it: lets exactly so much time pass. */
  const nextAfter = async (ms: number) => {
    const cursor = next();
    await waiting(statuses);
    time.advance(ms - 1);
    expect(statuses.at(-1)!.retryInMs).toBe(ms);
    time.advance(1);
    return cursor;
  };
  return { time, stop, places, statuses, batches, next, nextAfter, open: openNow };
}

const waiting = (statuses: readonly ConnectionStatus[]) =>
  expect.poll(() => statuses.at(-1)?.retryInMs, { interval: 1 }).toBeDefined();

describe("resume", () => {
  it("goes on after the last cursor, which may be that of an empty batch", async () => {
    const { next, nextAfter, places } = reading(
      [
        [empty(3), failure()],
        [batch(4, 6), failure()],
        [empty(6), batch(7, 7)],
      ],
      { last: 5 },
    );
    expect(await next()).toBe("e.3");
    expect(await nextAfter(MIN_MS)).toBe("e.6");
    expect(await nextAfter(MIN_MS)).toBe("e.6");
    expect(await next()).toBe("e.7");
    expect(places).toEqual([{ last: 5 }, { after: "e.3" }, { after: "e.6" }]);
  });

  it("begins where it was told until something has come", async () => {
    const { nextAfter, places } = reading([[failure()], [empty(0)]], { after: "latest" });
    await nextAfter(MIN_MS);
    expect(places).toEqual([{ after: "latest" }, { after: "latest" }]);
  });

  it("tells each change of state", async () => {
    const { next, nextAfter, statuses, stop } = reading([[empty(0), failure()], [empty(0)]]);
    await next();
    await nextAfter(MIN_MS);
    stop.abort(new Error("enough"));
    expect(await next()).toBeUndefined();
    expect(statuses.map(({ state, retryInMs }) => [state, retryInMs])).toEqual([
      ["connecting", undefined],
      ["connected", undefined],
      ["reconnecting", MIN_MS],
      ["reconnecting", undefined],
      ["connected", undefined],
    ]);
    expect(statuses[2]!.message).toBe("it broke");
  });

  it("stops with what trying again cannot help against", async () => {
    const { next, statuses, open } = reading([[empty(0), failure(false)]]);
    await next();
    await expect(next()).rejects.toMatchObject({ code: "internal", message: "it broke" });
    expect(statuses.at(-1)).toEqual({ state: "disconnected", message: "it broke" });
    expect(open()).toBe(0);
  });

  it.each([
    ["a topic that is not there yet", "topic_not_found"],
    ["a proxy's answer", "http_404"],
    ["a hotel's sign-in page", "protocol_error"],
  ])("waits where it has read before, and not where it never has: %s", async (_, code) => {
    const gone = new TransportError(code, "gone", { canRetry: false });
    const { next, time, statuses, places } = reading([[empty(0), gone], [gone], [empty(0)]]);
    await next();
    const cursor = next();
    for (let tries = 0; tries < 2; tries += 1) {
      await waiting(statuses);
      statuses.length = 0;
      time.advance(MIN_MS);
    }
    expect(await cursor).toBe("e.0");
    expect(places).toHaveLength(3);
    await expect(reading([[gone]]).next()).rejects.toBe(gone);
  });

  it("does not try again for ever what is a bug of the transport", async () => {
    const { batches } = reading([], {}, {});
    const broken = resume(
      { name: "broken", open: () => [undefined] as never },
      {},
      { signal: new AbortController().signal },
    );
    await expect(broken.next()).rejects.toThrow("TypeError");
    await batches.return();
  });
});

describe("the wait before a new try", () => {
  const endless = Array.from({ length: 12 }, () => [failure()]);

  it("is never below the minimum, has full jitter, and grows up to half a minute", async () => {
    const { next, time, statuses, stop } = reading(endless, {}, { random: () => 0.999 });
    const end = next();
    const delays: number[] = [];
    while (delays.length < 12) {
      await waiting(statuses);
      delays.push(statuses.at(-1)!.retryInMs!);
      statuses.length = 0;
      time.advance(delays.at(-1)!);
    }
    stop.abort();
    await end;
    expect(delays[0]).toBeCloseTo(MIN_MS + 999);
    expect(delays[1]).toBeCloseTo(MIN_MS + 1_998);
    expect(delays.at(-1)).toBeCloseTo(MIN_MS + 29_970);
  });

  it.each([
    [100, MIN_MS],
    [4_000, 4_000],
    [3_600_000, 300_000],
  ])("is what the server asks for, within reason: %d ms", async (asked, given) => {
    const { nextAfter } = reading([[failure(true, asked)], [empty(0)]]);
    expect(await nextAfter(given)).toBe("e.0");
  });

  it("begins anew after a connection that lived long, and not after a short one", async () => {
    const tries = Array.from({ length: 4 }, () => [empty(0), failure()]);
    const { next, nextAfter, time } = reading(tries, {}, { random: () => 0.5 });
    await next();
    await nextAfter(MIN_MS + 500);
    await nextAfter(MIN_MS + 1_000);
    time.advance(10_000);
    await nextAfter(MIN_MS + 500);
  });

  it("grows only when every transport has had its try", async () => {
    const time = new ManualTime();
    const stop = new AbortController();
    const delays: number[] = [];
    const blocked = new TransportError("connection_lost", "blocked", { canRetry: true });
    const all = ["a", "b", "c"].map((name) => scripted(Array(3).fill([blocked]), name).transport);
    const batches = resume(
      new Choice(all, { now: time.now }),
      {},
      {
        signal: stop.signal,
        ...time.clock(() => 0.5),
        onStatus: ({ retryInMs }) => {
          if (retryInMs !== undefined) delays.push(retryInMs);
        },
      },
    );
    const end = batches.next();
    for (let tries = 1; tries <= 5; tries += 1) {
      await expect.poll(() => delays.length).toBe(tries);
      time.advance(delays.at(-1)!);
    }
    stop.abort();
    await end;
    expect(delays).toEqual([750, 750, 1_250, 2_250, 4_250]);
  });

  it("is cut short when the reader has had enough", async () => {
    const { next, stop, statuses, time } = reading([[failure()]]);
    const end = next();
    await waiting(statuses);
    stop.abort();
    expect(await end).toBeUndefined();
    expect(time.waiting).toBe(0);
  });
});

describe("a server that has fallen silent", () => {
  it("is given up after a while: a short one at first, then longer than its heartbeats", async () => {
    const { next, places, time, statuses, open } = reading([
      ["silence"],
      [empty(0), batch(1, 1), "silence"],
      [empty(1)],
    ]);
    const first = next();
    await expect.poll(() => time.waiting).toBe(1);
    time.advance(OPEN_MS - 1);
    expect(open()).toBe(1);
    time.advance(1);
    await waiting(statuses);
    expect(open()).toBe(0);
    time.advance(MIN_MS);
    expect(await first).toBe("e.0");
    expect(await next()).toBe("e.1");
    const third = next();
    await expect.poll(() => time.waiting).toBe(1);
    time.advance(SILENCE_MS - 1);
    expect(statuses.at(-1)!.state).toBe("connected");
    time.advance(1);
    await waiting(statuses);
    expect(statuses.at(-1)!.message).toBe("The server has said nothing for 75 s");
    time.advance(MIN_MS);
    expect(await third).toBe("e.1");
    expect(places).toHaveLength(3);
  });

  it("is not one whose reader takes its time", async () => {
    const { next, time, places } = reading([[empty(0), batch(1, 1)]]);
    await next();
    time.advance(10 * SILENCE_MS);
    expect(await next()).toBe("e.1");
    expect(places).toHaveLength(1);
  });
});

describe("a server that breaks the order", () => {
  it.each<[string, Step[], RegExp]>([
    ["repeats an event", [batch(1, 3), batch(3, 4)], /repeat.*e\.4 expected, e\.3 came/],
    ["skips one", [batch(1, 3), batch(5, 6)], /skip.*e\.4 expected, e\.5 came/],
    ["skips one within a batch", [{ ...batch(1, 3), cursor: "e.4" }], /skip/],
    ["has a cursor behind its events", [{ ...batch(1, 3), cursor: "e.2" }], /repeat/],
    ["moves without an event", [empty(3), empty(4)], /skip/],
    ["changes its epoch in silence", [batch(1, 3), batch(4, 5, "f")], /other-epoch/],
    ["counts a gap wrong", [batch(1, 3), { ...batch(6, 6), ...gap(1) }], /skip/],
  ])("is left when it %s", async (_, steps, message) => {
    const { batches, open } = reading([steps]);
    const readAll = async () => {
      for await (const _batch of batches);
    };
    const error = await readAll().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "protocol_error", canRetry: false });
    expect((error as Error).message).toMatch(message);
    expect(open()).toBe(0);
  });

  it("is noticed across a new connection, and from a given cursor on", async () => {
    const across = reading([[batch(1, 3), failure()], [batch(3, 4)]]);
    await across.next();
    await expect(across.nextAfter(MIN_MS)).rejects.toThrow("repeat");
    await expect(reading([[batch(3, 4)]], { after: "e.1" }).next()).rejects.toThrow("skip");
  });

  it("is not one that tells what it has lost", async () => {
    const { next } = reading([
      [
        batch(1, 3),
        { ...batch(6, 7), ...gap(2) },
        { ...empty(9), ...gap(2) },
        { ...batch(1, 2, "f"), ...gap(null, "epoch") },
        { ...batch(2, 2, "f"), ...gap(null, "epoch") },
      ],
    ]);
    const cursors = [await next(), await next(), await next(), await next(), await next()];
    expect(cursors).toEqual(["e.3", "e.7", "e.9", "f.2", "f.2"]);
  });
});

describe("leaving", () => {
  it("closes what is open, in the middle of a batch and while nothing comes", async () => {
    const left = reading([[batch(1, 3)]]);
    await left.next();
    await left.batches.return();
    await expect.poll(left.open).toBe(0);
    expect(left.time.waiting).toBe(0);

    const stopped = reading([[batch(1, 3), "silence"]]);
    await stopped.next();
    const end = stopped.next();
    stopped.stop.abort(new Error("enough"));
    expect(await end).toBeUndefined();
    expect(stopped.open()).toBe(0);
    expect(stopped.time.waiting).toBe(0);
  });

  it("opens nothing when it was over before it began", async () => {
    const { next, stop, places } = reading([[batch(1, 3)]]);
    stop.abort();
    expect(await next()).toBeUndefined();
    expect(places).toEqual([]);
  });
});
