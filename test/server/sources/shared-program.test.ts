/** Real programs; only the time between two of them is the test's. */
import { describe, expect, test } from "vitest";
import type { SharedExit } from "../../../server/sources/shared-program.ts";
import { type ManualTime, turn } from "../../client/manual-time.ts";
import { bytesWritten, isAlive } from "../../exec/processes.ts";
import { share } from "../../support/share.ts";

describe("the lines of a shared program", () => {
  test("are events, and so is its end", async () => {
    const { events } = share("printf 'one\\n\\ntwo\\r\\nthr'; printf 'ee \\377'; exit 3");
    await expect.poll(() => events).toHaveLength(5);
    expect(events).toEqual([
      ["one"],
      [""],
      ["two"],
      ["three \u{FFFD}"],
      [{ code: 3, signal: null, restartInMs: 250 }, "exit"],
    ]);
  });

  test("are published as they come", async () => {
    const { events, programs } = share("echo a; cat");
    await expect.poll(() => events).toEqual([["a"]]);
    programs[0]!.stdin!.write("b\nc");
    await expect.poll(() => events).toEqual([["a"], ["b"]]);
  });

  test("are not read before the one before is stored", async () => {
    let taken = 0;
    const { programs, events } = share("exec yes", {
      publish: () => {
        taken += 1;
        return new Promise(() => {});
      },
    });
    await expect.poll(() => taken).toBe(1);
    const { pid } = programs[0]!;
    await expect.poll(() => hasStopped(() => bytesWritten(pid))).toBe(true);
    expect(bytesWritten(pid)).toBeLessThan(2_000_000);
    expect(taken).toBe(1);
    expect(events).toEqual([]);
  });

  test("do not keep others waiting when they are a flood, and do not pile up", async () => {
    let [turns, lines, most, all] = [0, 0, 0, 0];
    const { programs, shared } = share("exec yes", {
      publish: () => {
        lines += 1;
        all += 1;
        const end = performance.now() + 0.1;
        while (performance.now() < end);
      },
    });
    await expect.poll(() => all).toBeGreaterThan(0);
    for (; turns < 200; turns += 1) {
      lines = 0;
      await turn();
      most = Math.max(most, lines);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(200); // 5 ms, some of them in one turn
    expect(bytesWritten(programs[0]!.pid) - 2 * all).toBeLessThan(2_000_000);
    await shared.stop();
  });

  test("are not stopped by one that cannot be stored, which is told once in a run", async () => {
    const told: unknown[] = [];
    const { events, time } = share("seq 5", {
      onError: (error, stage) => told.push(`${stage}: ${(error as Error).message}`),
      refuse: (data) => data === "2" || data === "4",
    });
    await expect.poll(() => events).toHaveLength(4);
    expect(events.slice(0, 3)).toEqual([["1"], ["3"], ["5"]]);
    expect(told).toEqual(["shared program: refused 2"]);
    await restart(time);
    await expect.poll(() => events).toHaveLength(8);
    expect(told).toHaveLength(2);
  });

  test("may be as long as is said", async () => {
    const { events } = share("printf '%010d\\n%010d\\r\\n%010d' 1 2 3; exit 0");
    await expect.poll(() => events).toHaveLength(4);
    expect(events[2]).toEqual(["0000000003"]);
  });

  test("end it when one is longer", async () => {
    const { events, programs, time } = share("printf '%011d' 1; exec sleep 1000");
    await expect.poll(() => events).toHaveLength(1);
    const [exit, name] = events[0]!;
    expect(exit).toEqual({
      code: null,
      signal: "SIGINT",
      restartInMs: 250,
      message: "Expected lines of at most 10 bytes",
    });
    expect(name).toBe("exit");
    expect(isAlive(programs[0]!.pid)).toBe(false);
    await restart(time);
    await expect.poll(() => programs).toHaveLength(2);
  });
});

describe("a shared program that ends", () => {
  test("is started again, later each time", async () => {
    const { events, time } = share("exit 1");
    const waits: number[] = [];
    for (let ends = 1; ends <= 10; ends += 1) {
      await expect.poll(() => events).toHaveLength(ends);
      waits.push((events.at(-1)![0] as SharedExit).restartInMs);
      await expect.poll(() => time.nextInMs).toBe(waits.at(-1));
      await restart(time);
    }
    expect(waits).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test.each([
    ["sooner when it ran for long", 10_001, [250, 500, 250, 500]],
    ["no sooner when it did not", 10_000, [250, 500, 1_000, 2_000]],
  ])("is started again %s", async (_, lastingMs, waits) => {
    const { events, programs, time } = share("echo begun; read line");
    for (const [run, restartInMs] of waits.entries()) {
      await expect.poll(() => events).toHaveLength(2 * run + 1);
      if (run === 2) time.advance(lastingMs);
      programs[run]!.stdin!.end();
      await expect.poll(() => events).toHaveLength(2 * run + 2);
      expect(events.at(-1)).toEqual([expect.objectContaining({ restartInMs }), "exit"]);
      await restart(time);
    }
  });

  test("has nothing left of it when it is started again", async () => {
    const left: boolean[] = [];
    const { events, time, programs } = share(
      "(trap '' INT TERM; exec sleep 1000 >/dev/null) & echo $!; exit 0",
      {
        onStart: async () => {
          await turn(); // the first time `events` is not there yet
          const children = events.filter(([, name]) => !name).map(([pid]) => Number(pid));
          left.push(children.some(isAlive));
        },
      },
    );
    for (let runs = 1; runs <= 2; runs += 1) {
      await expect.poll(() => events).toHaveLength(2 * runs);
      await restart(time);
    }
    await expect.poll(() => programs).toHaveLength(3);
    expect(left).toEqual([false, false, false]);
  });

  test("has ended when its output has, and is ended if need be", async () => {
    const { events } = share("echo last; exec >&-; exec sleep 1000");
    await expect.poll(() => events).toHaveLength(2);
    expect(events[1]).toEqual([{ code: null, signal: "SIGINT", restartInMs: 250 }, "exit"]);
  });

  test("tells the operator of each start and end", async () => {
    const { log, time, programs } = share("exit 3");
    await expect.poll(() => log).toHaveLength(2);
    await restart(time);
    await expect.poll(() => log).toHaveLength(4);
    const [first, second] = programs.map(({ pid }) => `started, pid ${pid}`);
    const ends = [250, 500].map((ms) => `ended with exit code 3; starts again in ${ms} ms`);
    expect(log).toEqual([first, ends[0], second, ends[1]]);
  });
});

test("a shared program that cannot be started is tried again, and everybody told why", async () => {
  let attempts = 0;
  const { events, time, log } = share("echo here", {
    onStart: () => {
      attempts += 1;
      if (attempts <= 2) throw new Error("there is no room");
    },
  });
  await expect.poll(() => events).toHaveLength(1);
  await restart(time);
  await expect.poll(() => events).toHaveLength(2);
  await restart(time);
  await expect.poll(() => events).toHaveLength(4);
  const none = { code: null, signal: null, message: "there is no room" };
  expect(events).toEqual([
    [{ ...none, restartInMs: 250 }, "exit"],
    [{ ...none, restartInMs: 500 }, "exit"],
    ["here"],
    [{ code: 0, signal: null, restartInMs: 1_000 }, "exit"],
  ]);
  expect(log[0]).toBe("there is no room; starts again in 250 ms");
});

/** Lets the time pass until it is started again. */
async function restart(time: ManualTime): Promise<void> {
  await expect.poll(() => time.waiting).toBe(1);
  time.advance(time.nextInMs!);
}

/** The same at two looks, with a while between. */
async function hasStopped(look: () => number): Promise<boolean> {
  const before = look();
  for (let turns = 0; turns < 50; turns += 1) await turn();
  return look() === before && before > 0;
}
