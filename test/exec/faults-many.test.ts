/** Many programs at once and one after the other: nothing of them is left. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { until } from "../support/until.ts";
import { type Guest, type Transport, TRANSPORTS } from "./guests.ts";
import { childrenOf, isAlive, openFiles } from "./processes.ts";
import { sh } from "./row.ts";
import { test } from "./stage.ts";
import { Refused } from "./visit.ts";
import { SHUTTING_DOWN } from "./words.ts";

test.concurrent(
  "the server is told to stop while 50 programs run, some of which ignore signals",
  async ({ startExec, open }) => {
    const server = await startExec(
      sh("[ \"$QUERY_STRING\" = deaf ] && trap '' INT TERM; sleep 1000 & echo $$ $!; wait; wait"),
    );
    const guests = Array.from({ length: 50 }, async (_, index) => {
      const transport = TRANSPORTS[index % TRANSPORTS.length]!;
      const guest = await open(transport, server, { path: index < 25 ? "/?deaf" : "/" });
      return { transport, guest, pids: (await guest.first(1))[0]!.split(" ").map(Number) };
    });
    const running = await Promise.all(guests);
    const pids = running.flatMap((each) => each.pids);
    expect(new Set(pids.filter(isAlive)).size).toBe(100);

    expect(await server.kill("SIGTERM")).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]); // when it has ended, not some time later
    for (const { transport, guest } of running) {
      expect([transport, await guest.told]).toEqual([transport, SHUTTING_DOWN[transport]]);
    }
  },
);

test.concurrent(
  "the server is killed: what reads its stdin, or prints, ends all the same",
  async ({ startExec, open }) => {
    const server = await startExec(sh('echo $$; [ "$QUERY_STRING" = yes ] && exec yes; exec cat'));
    const guests = TRANSPORTS.flatMap((transport) => [
      open(transport, server, { path: "/?yes" }),
      // Over one-way transports stdin is empty, and it has ended before.
      ...(transport === "WebSocket" || transport === "Cap'n Web" ? [open(transport, server)] : []),
    ]);
    const lines = await Promise.all((await Promise.all(guests)).map((guest) => guest.first(1)));
    const pids = lines.map(([line]) => Number(line));
    expect(pids.filter(isAlive)).toHaveLength(TRANSPORTS.length + 2);
    await server.kill("SIGKILL");
    await until(() => !pids.some(isAlive));
  },
);

test.concurrent(
  "after 1,000 connections, a part of them cut off: no zombie, no open file, no slot taken",
  { timeout: 240_000 }, // 4 s on two idle cores
  async ({ startExec, open }) => {
    const slots = 40;
    const server = await startExec(sh('echo $$; [ "$QUERY_STRING" = wait ] && exec sleep 1000'), [
      "--max-processes",
      String(slots),
    ]);
    const { pid } = server.process;
    const pids: number[] = [];
    let left = 1_000;
    // Programs of those who have left take their time to end, and their slots.
    const enter = async (transport: Transport, path: string): Promise<Guest> => {
      for (;;) {
        const entered = await open(transport, server, { path }).catch(patient);
        if (entered) return entered;
        await sleep(10);
      }
    };
    const visitor = async () => {
      while (left > 0) {
        const number = (left -= 1);
        const transport = number % 2 === 0 ? "WebSocket" : "SSE";
        const cut = number % 10 < 4; // 400 leave before the end
        const guest = await enter(transport, cut ? "/?wait" : "/");
        if (number % 10 < 2) guest.socket.resetAndDestroy();
        else {
          pids.push(Number((await guest.first(1))[0]));
          if (cut) guest.socket.destroy();
          else expect(await guest.told).not.toBe("cut");
        }
      }
    };
    // The first ones open what stays open.
    await Promise.all(TRANSPORTS.map(async (transport) => (await open(transport, server)).told));
    await until(() => childrenOf(pid!).length === 0);
    const files = openFiles(pid!).sort();

    await Promise.all(Array.from({ length: 10 }, visitor));

    await until(() => childrenOf(pid!).length === 0);
    expect(pids.filter(isAlive)).toEqual([]);
    await until(() => openFiles(pid!).length <= files.length);
    expect(openFiles(pid!).sort()).toEqual(files);
    const full = Array.from({ length: slots }, () => open("SSE", server, { path: "/?wait" }));
    await Promise.all((await Promise.all(full)).map((guest) => guest.first(1)));
  },
);

/** The house is full. */
function patient(error: unknown): undefined {
  if (!(error instanceof Refused) || error.status !== 429) throw error;
}
