/** How a shared program is ended for good. */
import { describe, expect, test } from "vitest";
import { turn } from "../../client/manual-time.ts";
import { isAlive } from "../../exec/processes.ts";
import { share } from "../../support/share.ts";

describe("a shared program that is stopped", () => {
  test("is gone, with all that it started, and nobody is told of another", async () => {
    const { events, shared, programs, time } = share("sleep 1000 & echo $!; exec sleep 1000");
    await expect.poll(() => events).toHaveLength(1);
    await Promise.all([shared.stop(), shared.stop()]);
    expect(isAlive(programs[0]!.pid)).toBe(false);
    expect(isAlive(Number(events[0]![0]))).toBe(false);
    await shared.stop();
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(events).toHaveLength(1);
    expect(time.waiting).toBe(0);
  });

  test("says nothing more from then on", async () => {
    const { events, shared } = share("exec yes");
    await expect.poll(() => events.length).toBeGreaterThan(0);
    const stopped = shared.stop();
    const published = events.length;
    await stopped;
    expect(events).toHaveLength(published);
  });

  test("while it waits to be started is not started", async () => {
    const { events, shared, programs, time } = share("exit 0");
    await expect.poll(() => time.waiting).toBe(1);
    await shared.stop();
    expect(time.waiting).toBe(0);
    time.advance(1e6);
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(programs).toHaveLength(1);
    expect(events).toHaveLength(1);
  });

  test("while its end is told does not wait for another", async () => {
    let told: (() => void) | undefined;
    const { shared, time, programs } = share("exit 0", {
      publish: () => new Promise<void>((resolve) => (told = resolve)),
    });
    await expect.poll(() => told).toBeDefined();
    await shared.stop();
    told!();
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(time.waiting).toBe(0);
    expect(programs).toHaveLength(1);
  });

  test("while it is being started is gone when it is there", async () => {
    let go = () => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    const { shared, programs, events } = share("echo here; exec sleep 1000", {
      onStart: () => gate,
    });
    const stopped = shared.stop();
    go();
    await stopped;
    expect(programs).toHaveLength(1);
    expect(isAlive(programs[0]!.pid)).toBe(false);
    expect(events).toEqual([]);
  });

  test("while nothing can be stored is gone too", async () => {
    const { shared, programs } = share("exec yes", { publish: () => new Promise(() => {}) });
    await expect.poll(() => programs).toHaveLength(1);
    await shared.stop();
    expect(isAlive(programs[0]!.pid)).toBe(false);
  });
});
