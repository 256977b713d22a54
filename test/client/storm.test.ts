/**
 * The client in a storm: every connection that it makes ends badly, late, or never begins, and still
 * its user gets every event once and in order, or is told exactly how many are lost. The seed is in
 * the names of the tests; `SEED=… npx vitest run …` brings the same faults again.
 */
import { describe, expect, type TestContext, test } from "vitest";
import { type SetTimer, startTimer } from "../../client/clock.ts";
import { TRANSPORTS } from "../../client/client.ts";
import { connect, type ConnectOptions, type TransportName } from "../../client/node.ts";
import { ENDINGS, type Fault, startFaultProxy } from "../support/fault-proxy.ts";
import { type HttpFault, startHttpFaultProxy } from "../support/fault-proxy-http.ts";
import { seeded } from "../support/seeded.ts";
import { type LocalServerOptions, startLocal } from "../support/server.ts";
import { until } from "../support/until.ts";

const FAST = 20; // so many times as fast as the world does the client live: it waits less
const HEARTBEAT_MS = 100;
const MINUTE = 60_000;
const { seed, random } = seeded();

/** Chance for one purpose, which whatever else happens does not disturb. */
function chanceOf() {
  const numbers = Array.from({ length: 10_000 }, random);
  let drawn = 0;
  const next = () => numbers[drawn++ % numbers.length]!;
  const chance = (probability: number) => next() < probability;
  const below = (limit: number) => Math.floor(next() * limit);
  const oneOf = <T>(values: readonly T[]) => values[below(values.length)]!;
  return { next, chance, below, oneOf };
}

type Chance = ReturnType<typeof chanceOf>;

/** Time that passes quickly, and a machine that wakes up when a test says so. */
function quickTime({ next, below }: Chance) {
  const wakes = new Set<() => void>();
  const clock: ConnectOptions = {
    now: () => performance.now() * FAST,
    random: () => next() / 20, // enough not to come back at once for ever
    // Minutes are how long a better transport is left alone.
    setTimer: (callback, ms) => startTimer(callback, ms > 2 * MINUTE ? below(200) : ms / FAST),
    onWake: (callback) => {
      wakes.add(callback);
      return () => wakes.delete(callback);
    },
    openMs: 500 * FAST,
    silenceMs: 5 * HEARTBEAT_MS * FAST,
  };
  const wake = () => {
    for (const callback of wakes) callback();
  };
  return { clock, wake };
}

/** What happens to the next connection. Most get somewhere, or the storm would take all day. */
function fault({ chance, below, oneOf }: Chance): Fault {
  const ending = chance(0.8) ? oneOf(["cut", "reset"] as const) : oneOf(ENDINGS);
  if (chance(0.1)) return { afterMs: below(2) * below(50), ending };
  if (chance(0.1)) return { afterBytes: below(1_000), ending };
  if (chance(0.05)) return { afterBytes: below(2_000), ending, bytesPerSecond: 5_000 };
  if (chance(0.05)) return { afterBytes: below(100_000), ending, delayMs: below(20) };
  return { afterBytes: below(200_000), ending };
}

/** What each test needs of chance, drawn before any of them begins. */
function storms() {
  const own = (transports: readonly TransportName[], name: string) => ({
    name,
    transports,
    faults: chanceOf(),
    jitter: chanceOf(),
    weather: chanceOf(),
  });
  return [...TRANSPORTS.map((name) => own([name], name)), own(TRANSPORTS, "its own choice")];
}

interface Storm extends LocalServerOptions, Omit<ReturnType<typeof storms>[number], "name"> {
  readonly events: number;
  /** How many are published before anybody else has a turn. */
  readonly perTurn: number;
  /** How far the publisher may be ahead of the reader; if not given, it waits for nobody. */
  readonly ahead?: number;
}

interface Landed {
  readonly received: number;
  readonly missed: number;
  readonly gaps: number;
  readonly connections: number;
  /** The transports that were read. */
  readonly used: ReadonlySet<string>;
}

/** Publishes 1, 2, 3 …, reads, and checks each event and each gap against that. */
async function brave(
  { transports, faults, jitter, weather, events, perTurn, ahead = Infinity, ...options }: Storm,
  { onTestFinished }: TestContext,
): Promise<Landed> {
  const server = await startLocal({ ...options, limits: { heartbeatMs: HEARTBEAT_MS } });
  let now: HttpFault = {};
  const http = await startHttpFaultProxy(portOf(server), () =>
    faults.chance(0.02) ? { badGateway: true } : now,
  );
  const proxy = await startFaultProxy(portOf(http), () => fault(faults));
  const { clock, wake } = quickTime(jitter);
  const client = connect(proxy.url, { ...clock, transports });
  let isOver = false;
  onTestFinished(async () => {
    isOver = true;
    client.close();
    proxy.close();
    http.close();
    await server.close();
  });

  let [received, missed, gaps] = [0, 0, 0];
  const publish = async () => {
    for (let number = 1; number <= events && !isOver; number += 1) {
      await server.hub.publish("topic", number);
      if (number % perTurn > 0) continue;
      await new Promise((resolve) => setTimeout(resolve));
      await until(() => isOver || number - received - missed < ahead);
    }
  };
  const used = new Set<string>();
  const [topic] = await server.hub.topics();
  const subscription = client.subscribe<number>("topic", { after: topic!.cursor });
  subscription.onStatus(({ transport }) => transport && used.add(transport));
  const published = publish();
  for await (const batch of subscription) {
    if (batch.gap) {
      expect(batch.gap).toEqual({ missed: expect.any(Number), reason: "evicted" });
      missed += batch.gap.missed!;
      gaps += 1;
    }
    for (const { offset, data } of batch.events) {
      received += 1;
      if (offset === received + missed && data === offset) continue; // `expect` takes its time
      expect({ offset, data }).toEqual({ offset: received + missed, data: received + missed });
    }
    if (received + missed === events) break;
    if (weather.chance(0.02)) wake();
    if (weather.chance(0.1) && transports.length > 1) {
      const upgrades = weather.oneOf(["pass", "refuse", "strip"] as const);
      now = { upgrades, buffers: weather.chance(0.3) };
    }
  }
  await published;
  client.close();
  proxy.close();
  await until(() => server.app.stats().readers + server.app.stats().sessions === 0);
  return { received, missed, gaps, connections: proxy.passed.length, used };
}

function portOf({ url }: { readonly url: string }): number {
  return Number(new URL(url).port);
}

describe.concurrent(`in a storm (SEED=${seed})`, { timeout: 3 * MINUTE }, () => {
  test.for(storms())("every event arrives once and in order over $name", async (storm, context) => {
    const events = 100_000;
    const store = { historyEvents: 20_000 };
    const landed = await brave({ ...storm, events, perTurn: 200, ahead: 10_000, store }, context);
    expect(landed).toMatchObject({ received: events, missed: 0 });
    expect(landed.connections).toBeGreaterThan(10);
    if (storm.transports.length > 1) expect(landed.used.size).toBeGreaterThan(2);
  });

  test.for(storms())("what is lost is counted exactly over $name", async (storm, context) => {
    const events = 40_000;
    const store = { historyEvents: 100 };
    const landed = await brave({ ...storm, events, perTurn: 16, store }, context);
    expect(landed.received + landed.missed).toBe(events);
    expect(landed.gaps).toBeGreaterThan(1);
  });
});

describe.concurrent("cut after every byte that the server sends", { timeout: 3 * MINUTE }, () => {
  const DATA = ["one", "zwei · 二 · 🚀", 12345, { four: 4 }]; // half a number is one as well

  test.for(TRANSPORTS)("%s gives every event once", async (name, { onTestFinished }) => {
    const server = await startLocal();
    onTestFinished(() => server.close());
    for (const data of DATA) await server.hub.publish("topic", data);
    const { clock } = quickTime(chanceOf());
    const setTimer: SetTimer = (callback, ms) => startTimer(callback, ms / FAST);
    const silenceMs = MINUTE * FAST; // a cut is told: nobody has to wait for it
    const patient = { ...clock, setTimer, openMs: silenceMs, silenceMs };
    /** @returns how many bytes have come over the first connection */
    const read = async (afterBytes: number) => {
      const proxy = await startFaultProxy(portOf(server), (index) =>
        index === 0 ? { afterBytes } : {},
      );
      const client = connect(proxy.url, { ...patient, transports: [name] });
      const given: unknown[] = [];
      for await (const { data, gap } of client.subscribe("topic", { after: "earliest" }).events()) {
        given.push(gap ?? data);
        if (given.length === DATA.length) break;
      }
      client.close();
      proxy.close();
      expect(given, `cut after ${afterBytes} bytes`).toEqual(DATA);
      return proxy.passed[0]!;
    };
    const bytes = await read(Infinity);
    expect(bytes).toBeGreaterThan(200);
    for (let first = 0; first <= bytes; first += 8) {
      await Promise.all(Array.from({ length: 8 }, (_, index) => read(first + index)));
    }
  });
});
