/** What the server holds of a program that prints more than its client takes. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { until } from "../support/until.ts";
import { TRANSPORTS } from "./guests.ts";
import { bytesWritten, childrenOf, isAlive, peakMiB, residentMiB } from "./processes.ts";
import { sh } from "./row.ts";
import { test } from "./stage.ts";
import { TOO_LARGE } from "./words.ts";

const SECONDS = 30;

// What a server takes that has begun to work, with all its code compiled, and a few hundred KB for
// each client. One that kept what `yes` prints would hold as much after half a second.
const MIB = 100;

test.concurrent(
  "`yes` and clients that never read, for 30 s: memory is flat, and the program waits",
  async ({ startExec, open, visit }) => {
    const [server, binary] = await Promise.all([
      startExec(["yes"]),
      startExec(["yes"], ["--binary"]),
    ]);
    const servers = [server, binary].map(({ process }) => process.pid!);
    const before = servers.map(residentMiB);
    const guests = [server, binary].flatMap((one) =>
      TRANSPORTS.map((transport) => open(transport, one)),
    );
    const frozen = await Promise.all(guests);
    for (const guest of frozen) guest.pause();
    // A reader of Cap'n Web that takes what comes on its connection, but nothing of the stream.
    const idle = await visit(server, { protocols: ["capnweb"] });
    idle.send('["push",["pipeline",0,["output"],[]]]');
    idle.send('["pull",1]');
    await idle.first(2);

    const programs = servers.flatMap(childrenOf).map(({ pid }) => pid);
    expect(programs).toHaveLength(2 * TRANSPORTS.length + 1);
    await settled(() => {
      for (const [index, pid] of servers.entries()) {
        expect(residentMiB(pid) - before[index]!).toBeLessThan(MIB);
      }
      return programs.map(bytesWritten);
    });
    const written = programs.map(bytesWritten);
    const full = servers.map(residentMiB);
    for (let second = 0; second < SECONDS; second += 1) {
      await sleep(1_000);
      for (const [index, pid] of servers.entries()) {
        expect(residentMiB(pid)).toBeLessThan(full[index]! + 10); // a heap breathes
      }
    }
    expect(programs.map(bytesWritten)).toEqual(written);
    expect(programs.every(isAlive)).toBe(true);
    for (const guest of frozen) guest.socket.resetAndDestroy();
    idle.socket.terminate();
    await until(() => !programs.some(isAlive)); // noticed, though there was no room for a word
  },
);

test.concurrent(
  "200 MB without a newline: every client is told, and little of it is held",
  async ({ startExec, open }) => {
    const server = await startExec(sh("head -c 200000000 /dev/zero; exec sleep 1000"));
    const { pid } = server.process;
    const before = peakMiB(pid!);
    for (const transport of TRANSPORTS) {
      const guest = await open(transport, server);
      expect([transport, await guest.told]).toEqual([transport, TOO_LARGE[transport]]);
      expect(guest.lines()).toEqual([]);
    }
    await until(() => childrenOf(pid!).length === 0);
    expect(peakMiB(pid!) - before).toBeLessThan(MIB);
  },
);

test.concurrent(
  "a client that sends more than the program reads waits, and the server holds little of it",
  async ({ startExec, visit }) => {
    const go = join(mkdtempSync(join(tmpdir(), "exec-")), "go");
    const wait = 'echo ready; while [ ! -e "$1" ]; do sleep 0.02; done; head -c "$2" | wc -c';
    const server = await startExec(sh(wait, go, "100000000"));
    const { pid } = server.process;
    const client = await visit(server);
    await client.first(1);
    const before = peakMiB(pid!);
    const message = Buffer.alloc(500_000, "x");
    for (let count = 0; count < 200; count += 1) client.send(message);
    await settled(() => client.socket.bufferedAmount);
    expect(client.socket.bufferedAmount).toBeGreaterThan(60_000_000);
    expect(peakMiB(pid!) - before).toBeLessThan(MIB / 2);
    writeFileSync(go, "");
    expect((await client.first(2))[1]!.trim()).toBe("100000000"); // and nothing is lost
  },
);

/** Resolves when it has not changed for a while. */
async function settled(value: () => unknown): Promise<void> {
  let before: string;
  do {
    before = JSON.stringify(value());
    await sleep(300);
  } while (JSON.stringify(value()) !== before);
}
