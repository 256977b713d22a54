/**
 * One side, whose memory and event loop are watched. A byte on its control port is a burst, so that
 * whoever receives it can close the loop.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { answer } from "../child.ts";
import type { Held } from "./hub.ts";
import type { Joining } from "../load/load-client.ts";
import { EVERY_PEER, type EveryPeer } from "../peers/every-peer.ts";
import { listening } from "../peers/listening.ts";
import type { Stamped } from "../peers/peer.ts";
import { childrenOf } from "../peers/processor-time.ts";
import { stamped } from "../samples.ts";

export type WatchedQuestion =
  | { kind: "start" }
  /** What the process holds after a collection, in bytes. */
  | { kind: "memory" }
  /** What a byte on the control port publishes from now on. */
  | { kind: "burst"; events: number; bytes: number }
  | { kind: "publish"; events: number }
  /** Single events at equal distances. Answered when the next one would be due. */
  | { kind: "steady"; events: number; perSecond: number }
  /** The longest turn since this was asked last. */
  | { kind: "turns" };

export interface WatchedStarted {
  port: number;
  control: number;
  joining: Joining;
}

/** Milliseconds. */
export interface Turns {
  longest: number;
  /** The longest in processor time, of all threads: what else the machine did is not in it. */
  longestCpu: number;
  /** The longest collection of garbage, which is a part of some turn. */
  collection: number;
}

const peer = await EVERY_PEER[process.argv[2] as EveryPeer]();
let burst = { events: 1, bytes: 0 };
let watching = false;
let found: Turns = { longest: 0, longestCpu: 0, collection: 0 };

answer(async (question: WatchedQuestion): Promise<unknown> => {
  switch (question.kind) {
    case "start":
      return { port: peer.port, control: await openControl(), joining: peer.joining };
    case "memory":
      return memory();
    case "burst":
      return void (burst = question);
    case "publish":
      return publish(question.events);
    case "steady":
      return steady(question.events, question.perSecond);
    case "turns":
      return turns();
  }
});

function openControl(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      for (let count = bytes.length * burst.events; count > 0; count -= 1) {
        peer.publish(eventOf(burst.bytes));
      }
    });
  });
  return listening(server);
}

/** @param bytes of JSON, about; at least the 200 of every event */
function eventOf(bytes: number, ageMs = 0): Stamped {
  const event = stamped(ageMs);
  const missing = bytes - event.json.length;
  if (missing <= 0) return event;
  const data = { ...event.data, more: "x".repeat(missing) };
  return { data, json: JSON.stringify(data) };
}

/** In turns of their own: what is published in one turn may be one write. */
async function publish(events: number): Promise<void> {
  for (let done = 0; done < events; done += 1) {
    peer.publish(eventOf(burst.bytes));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** An event's age counts from when it was due: a server that is busy and publishes late is late. */
function steady(events: number, perSecond: number): Promise<void> {
  const begin = performance.now();
  let done = 0;
  return new Promise((resolve) => {
    const lateMs = () => performance.now() - begin - (done * 1_000) / perSecond;
    const next = () => {
      for (; done < events && lateMs() >= 0; done += 1) {
        peer.publish(eventOf(burst.bytes, lateMs()));
      }
      if (done === events) return resolve();
      setTimeout(next, Math.ceil(-lateMs()));
    };
    next();
  });
}

async function memory(): Promise<Held> {
  // What one collection finds to be finalised, the next one takes.
  for (let count = 0; count < 4; count += 1) {
    globalThis.gc!();
    await sleep(50);
  }
  const { rss, heapUsed: heap } = process.memoryUsage();
  if (!peer.cpu) return { rss, heap };
  const [nginx] = childrenOf(process.pid);
  return { rss: childrenOf(nginx!).reduce((sum, worker) => sum + rssOf(worker), 0), heap: 0 };
}

function rssOf(pid: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
  return Number(kibibytes) * 1024;
}

/** Begins to watch; from then on the loop never sleeps, and every turn of it is seen. */
async function turns(): Promise<Turns> {
  await sleep(20); // collections are told in a later turn
  const answered = found;
  found = { longest: 0, longestCpu: 0, collection: 0 };
  if (!watching) {
    watching = true;
    collections.observe({ entryTypes: ["gc"] });
    watch(performance.now(), process.cpuUsage());
  }
  return answered;
}

/** From one `setImmediate` to the next: all that the loop did, once round. */
function watch(before: number, cpuBefore: NodeJS.CpuUsage): void {
  setImmediate(() => {
    const now = performance.now();
    const cpu = process.cpuUsage();
    const used = cpu.user + cpu.system - cpuBefore.user - cpuBefore.system;
    found.longest = Math.max(found.longest, now - before);
    found.longestCpu = Math.max(found.longestCpu, used / 1_000);
    watch(now, cpu);
  });
}

const collections = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    found.collection = Math.max(found.collection, duration);
  }
});
