/**
 * One side: a server that publishes when it is told to. A byte on its control port is a burst, so
 * that the load client can close the loop without anybody between.
 */
import { createServer } from "node:net";
import { answer } from "../child.ts";
import type { Joining } from "../load/load-client.ts";
import { listening } from "../peers/listening.ts";
import { type PeerKind, PEERS } from "../peers/peers.ts";
import { BURST, stamped } from "../samples.ts";

export type FanOutQuestion =
  | { kind: "start" }
  | { kind: "cpu" }
  /** Single events at equal distances. Answered when the last has been published. */
  | { kind: "steady"; events: number; perSecond: number };

export interface FanOutStarted {
  port: number;
  control: number;
  joining: Joining;
}

const peer = await PEERS[process.argv[2] as PeerKind]();

answer(async (question: FanOutQuestion): Promise<FanOutStarted | number | void> => {
  switch (question.kind) {
    case "start":
      return { port: peer.port, control: await openControl(), joining: peer.joining };
    case "cpu":
      return cpu();
    case "steady":
      return steady(question.events, question.perSecond);
  }
});

function openControl(): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      for (let count = bytes.length * BURST; count > 0; count -= 1) peer.publish(stamped());
    });
  });
  return listening(server);
}

/** @returns microseconds */
function cpu(): number {
  if (peer.cpu) return peer.cpu();
  const { user, system } = process.cpuUsage();
  return user + system;
}

function steady(events: number, perSecond: number): Promise<void> {
  const begin = performance.now();
  let done = 0;
  return new Promise((resolve) => {
    const next = () => {
      peer.publish(stamped());
      done += 1;
      if (done === events) return resolve();
      setTimeout(next, begin + (done * 1_000) / perSecond - performance.now());
    };
    next();
  });
}
