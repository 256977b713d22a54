/** A hub in process, with a number of polling subscriptions on one topic. */
import { METRICS_TOPIC } from "../../server/contract.ts";
import { Hub } from "../../server/hub.ts";
import { MemoryStore } from "../../server/store/memory-store.ts";
import { answer } from "../child.ts";
import { EVENT_200, SAMPLE } from "../samples.ts";

export type HubQuestion =
  | { kind: "publish"; what: keyof typeof EVENTS; count: number }
  | { kind: "poll"; what: "new event" | "nothing new"; count: number }
  | { kind: "memory" }
  /** What the process holds after a collection, in bytes: the heap, and all of it. */
  | { kind: "held" };

export interface Held {
  heap: number;
  rss: number;
}

const EVENTS = { sample: SAMPLE, "200 bytes": EVENT_200 };
const PER_TURN = 1_000; // then the event loop turns, as it does in a server

const subscriptions = Number(process.argv[2]);
const HOUR = 3_600_000; // no lease runs out while others are measured
const hub = new Hub(new MemoryStore(), { limits: { leaseMs: HOUR } });
await hub.createTopic(METRICS_TOPIC);
const before = heap();
const ids: string[] = [];
for (let index = 0; index < subscriptions; index += 1) {
  ids.push((await hub.lease(METRICS_TOPIC)).subscriptionId);
}
const bytesAtFirst = heap() - before;

answer(async (question: HubQuestion): Promise<number | Held> => {
  if (question.kind === "held") return { heap: heap(), rss: process.memoryUsage.rss() };
  if (question.kind === "memory") return bytesAtFirst / subscriptions;
  if (question.kind === "poll") return poll(question.what === "new event", question.count);
  return cpuOf(question.count, () => publish(EVENTS[question.what], question.count));
});

async function publish(data: unknown, count: number): Promise<void> {
  for (let done = 0; done < count; done += PER_TURN) {
    for (let index = 0; index < PER_TURN; index += 1) void hub.publish(METRICS_TOPIC, data);
    await turn();
  }
}

/** Every subscription once, then again, until `count` polls are done. */
async function poll(fresh: boolean, count: number): Promise<number> {
  for (const id of ids) await hub.poll(id);
  return cpuOf(count, async () => {
    for (let done = 0; done < count;) {
      if (fresh) void hub.publish(METRICS_TOPIC, SAMPLE);
      for (const id of ids) {
        const { events } = await hub.poll(id);
        if (events.length !== (fresh ? 1 : 0)) throw new Error(`got ${events.length} events`);
        done += 1;
        if (done % PER_TURN === 0) await turn();
        if (done === count) break;
      }
    }
  });
}

/** @returns microseconds for each of `count` */
async function cpuOf(count: number, work: () => Promise<void>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / count;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function heap(): number {
  globalThis.gc!();
  globalThis.gc!();
  return process.memoryUsage().heapUsed;
}
