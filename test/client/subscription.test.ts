import { describe, expect, it } from "vitest";
import type { ConnectionStatus } from "../../client/status.ts";
import { type Read, type SubscribedEvent, Subscription } from "../../client/subscription.ts";
import type { Place, TopicBatch } from "../../client/transport.ts";
import { turn } from "./manual-time.ts";
import { aborted, batch, empty, gap } from "./scripted-transport.ts";

const failure = new Error("it cannot go on");

/** A subscription to what each loop is given, one list after the other; then nothing comes. */
function subscribed(
  loops: (TopicBatch | Error)[][],
  options: ConstructorParameters<typeof Subscription>[2] = {},
) {
  const places: Place[] = [];
  let open = 0;
  const read: Read = async function* (from, signal, onStatus) {
    const steps = loops[places.length] ?? [];
    places.push(from);
    open += 1;
    try {
      for (const step of steps) {
        if (step instanceof Error) throw step;
        onStatus({ state: "connected", message: "reading" });
        yield step;
      }
      await aborted(signal).catch(() => {});
    } finally {
      open -= 1;
    }
  };
  const subscription = new Subscription("topic", read, options);
  return { subscription, places, open: () => open };
}

async function take<T>(from: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const one of from) {
    taken.push(one);
    if (taken.length === count) break;
  }
  return taken;
}

const offsets = (events: readonly SubscribedEvent[]) => events.map(({ offset }) => offset);

describe("the loop over batches", () => {
  it("gives what has an event or a gap, and keeps the cursor of what has neither", async () => {
    const nothingLeft = { ...empty(5), ...gap(2) };
    const { subscription } = subscribed([[empty(0), batch(1, 3), empty(3), nothingLeft, empty(5)]]);
    expect(subscription.cursor).toBeUndefined();
    const batches = subscription[Symbol.asyncIterator]();
    expect((await batches.next()).value).toEqual(batch(1, 3));
    expect(subscription.cursor).toBe("e.3");
    expect((await batches.next()).value).toEqual(nothingLeft);
    const end = batches.next();
    await expect.poll(() => subscription.cursor).toBe("e.5");
    subscription.close();
    expect(await end).toEqual({ done: true, value: undefined });
  });

  it("begins where it was told, and again after what was handed out", async () => {
    const { subscription, places, open } = subscribed([[batch(1, 3)], [batch(4, 4)]], { last: 3 });
    await take(subscription, 1);
    expect(open()).toBe(0);
    expect(subscription.status.message).toBe("Nobody reads");
    expect(await take(subscription, 1)).toEqual([batch(4, 4)]);
    expect(places).toEqual([{ last: 3 }, { after: "e.3" }]);
  });

  it("is one at a time, and the second harms the first in no way", async () => {
    const { subscription, open } = subscribed([[batch(1, 1), batch(2, 2)]]);
    const first = subscription[Symbol.asyncIterator]();
    await first.next();
    await expect(take(subscription, 1)).rejects.toThrow(TypeError);
    await expect(take(subscription.events(), 1)).rejects.toThrow(TypeError);
    expect(() => subscription.listen({})).toThrow(TypeError);
    expect((await first.next()).value).toEqual(batch(2, 2));
    await first.return();
    expect(open()).toBe(0);
  });

  it("throws what ends the reading, and may be tried again", async () => {
    const { subscription } = subscribed([[batch(1, 2), failure], [batch(3, 3)]]);
    await expect(take(subscription, 2)).rejects.toBe(failure);
    expect(subscription.cursor).toBe("e.2");
    expect(await take(subscription, 1)).toEqual([batch(3, 3)]);
  });
});

describe("the loop over events", () => {
  it("gives each with its own cursor, which is where a new loop goes on", async () => {
    const { subscription, places } = subscribed([[batch(1, 3)], [batch(3, 3)]]);
    const events = await take(subscription.events(), 2);
    expect(events.map(({ cursor }) => cursor)).toEqual(["e.1", "e.2"]);
    expect(subscription.cursor).toBe("e.2");
    expect(offsets(await take(subscription.events(), 1))).toEqual([3]);
    expect(places).toEqual([{}, { after: "e.2" }]);
  });

  it("brings a gap with the event after it, joined with what was lost just before", async () => {
    const { subscription } = subscribed([
      [
        batch(1, 1),
        { ...empty(3), ...gap(2) },
        { ...batch(7, 8), ...gap(3) },
        { ...batch(2, 2, "f"), ...gap(null, "epoch") },
      ],
    ]);
    const events = await take(subscription.events(), 4);
    expect(events.map(({ offset, gap: lost }) => [offset, lost?.missed])).toEqual([
      [1, undefined],
      [7, 5],
      [8, undefined],
      [2, null],
    ]);
  });

  it("keeps the cursor before a gap until the event after it, so that a new loop is told", async () => {
    const { subscription, places } = subscribed([
      [batch(1, 1), { ...empty(3), ...gap(2) }, failure],
      [{ ...batch(4, 4), ...gap(2) }],
    ]);
    await expect(take(subscription.events(), 2)).rejects.toBe(failure);
    const [event] = await take(subscription.events(), 1);
    expect(event).toMatchObject({ offset: 4, gap: { missed: 2 } });
    expect(places).toEqual([{}, { after: "e.1" }]);
  });

  it("ends in the middle of a batch when it is closed there", async () => {
    const { subscription } = subscribed([[batch(1, 3)]]);
    const seen: number[] = [];
    for await (const { offset } of subscription.events()) {
      seen.push(offset);
      subscription.close();
    }
    expect(seen).toEqual([1]);
    expect(subscription.cursor).toBe("e.1");
  });
});

describe("callbacks", () => {
  it("come in order, one after the other, and promises are waited for", async () => {
    const { subscription } = subscribed([[batch(1, 2), { ...batch(5, 5), ...gap(2) }]]);
    const told: string[] = [];
    const slow: (() => void)[] = [];
    const tell = (text: string) => {
      told.push(text);
      return new Promise<void>((resolve) => slow.push(resolve));
    };
    const end = new Promise((onEnd) => {
      subscription.listen({
        onBatch: ({ cursor }) => tell(`batch to ${cursor}`),
        onEvent: ({ offset, cursor }) => tell(`${offset} at ${cursor}`),
        onGap: ({ missed }) => tell(`missed ${missed}`),
        onEnd,
      });
    });
    for (let callbacks = 1; callbacks <= 6; callbacks += 1) {
      await turn();
      expect(told).toHaveLength(callbacks);
      slow.pop()!();
    }
    expect(told).toEqual([
      "batch to e.2",
      "1 at e.1",
      "2 at e.2",
      "missed 2",
      "batch to e.5",
      "5 at e.5",
    ]);
    subscription.close();
    expect(await end).toBeUndefined();
  });

  it("end with the reason when one throws; the cursor is that of the last event handed out", async () => {
    const { subscription, open } = subscribed([[batch(1, 3), batch(4, 4)]]);
    const end = new Promise((onEnd) => {
      const onEvent = ({ offset }: SubscribedEvent) => {
        if (offset === 2) throw failure;
      };
      subscription.listen({ onEvent, onEnd });
    });
    expect(await end).toBe(failure);
    expect(subscription.cursor).toBe("e.2");
    expect(subscription.status.state).toBe("disconnected");
    expect(open()).toBe(0);
  });

  it("end with why it cannot go on, or without a reason when it is closed", async () => {
    const listened = (steps: (TopicBatch | Error)[]) => {
      const { subscription } = subscribed([steps]);
      return { subscription, end: new Promise((onEnd) => subscription.listen({ onEnd })) };
    };
    expect(await listened([failure]).end).toBe(failure);
    const { subscription, end } = listened([batch(1, 1)]);
    subscription.close();
    expect(await end).toBeUndefined();
  });

  it("hear of nothing after it is closed, also in the middle of a batch", async () => {
    const { subscription } = subscribed([[{ ...batch(3, 9), ...gap(2) }]]);
    const told: unknown[] = [];
    const end = new Promise((onEnd) => {
      subscription.listen({
        onGap: () => void told.push("gap"),
        onEvent: ({ offset }) => {
          told.push(offset);
          if (offset === 4) subscription.close();
        },
        onEnd,
      });
    });
    await end;
    expect(told).toEqual(["gap", 3, 4]);
  });
});

describe("close", () => {
  it("ends a loop that waits, and may be called twice", async () => {
    const closed: unknown[] = [];
    const { subscription, open } = subscribed([[]], { onClose: (one) => closed.push(one) });
    const end = take(subscription, 1);
    subscription.close();
    subscription.close();
    expect(await end).toEqual([]);
    expect(open()).toBe(0);
    expect(closed).toEqual([subscription]);
    expect(await take(subscription, 1)).toEqual([]);
  });

  it("comes for a hundred with one signal, and nobody warns of listeners", async () => {
    const stop = new AbortController();
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    const all = Array.from({ length: 100 }, () => subscribed([], { signal: stop.signal }));
    await turn(); // warnings come a little later
    stop.abort();
    for (const { subscription } of all) expect(subscription.status.state).toBe("disconnected");
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  it("comes with a signal, also with one that was aborted before, and with `using`", async () => {
    const stop = new AbortController();
    const { subscription } = subscribed([[]], { signal: stop.signal });
    const end = take(subscription, 1);
    stop.abort();
    expect(await end).toEqual([]);
    const closed: unknown[] = [];
    const late = subscribed([[batch(1, 1)]], {
      signal: stop.signal,
      onClose: (one) => closed.push(one),
    });
    expect(await take(late.subscription, 1)).toEqual([]);
    expect(late.places).toEqual([]);
    expect(closed).toHaveLength(1);
    const { subscription: disposed } = subscribed([[]]);
    disposed[Symbol.dispose]();
    expect(disposed.status.state).toBe("disconnected");
  });
});

describe("its status", () => {
  it("is told to whoever listens, newest last, and no more after the end", async () => {
    const { subscription } = subscribed([[batch(1, 1), batch(2, 2)]]);
    const [first, second]: string[][] = [[], []];
    const told = (list: string[] | undefined) => (status: ConnectionStatus) =>
      void list!.push(status.state);
    const stop = subscription.onStatus(told(first));
    subscription.onStatus(({ state }) => state === "connected" && subscription.close());
    subscription.onStatus(told(second));
    await take(subscription, 2);
    stop();
    expect(first).toEqual(["connected", "disconnected"]);
    expect(second).toEqual(["disconnected"]);
  });
});
