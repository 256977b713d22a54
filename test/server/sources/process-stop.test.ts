/** How programs end, and that nobody they have started is left. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Program } from "../../../server/exec/program.ts";
import { turn } from "../../client/manual-time.ts";
import { isAlive, stateOf } from "../../exec/processes.ts";
import {
  FOR_EVER,
  IMPATIENT,
  linesOf,
  node,
  sh,
  start,
  textOf,
} from "../../support/started-program.ts";
import { until } from "../../support/until.ts";

describe("a program that is stopped", () => {
  test("is asked more and more firmly, with time between", async () => {
    const program = await sh("trap '' INT TERM; echo ready; exec sleep 1000");
    expect(await linesOf(program.stdout)()).toBe("ready");
    const told: { signal: unknown; ms: number }[] = [];
    const kill = process.kill.bind(process);
    const spy = vi.spyOn(process, "kill").mockImplementation((pid, signal) => {
      if (signal !== 0) told.push({ signal, ms: performance.now() - began });
      return kill(pid, signal);
    });
    onTestFinished(() => spy.mockRestore());
    const began = performance.now();
    await program.stop();
    expect(await program.exited).toEqual({ code: null, signal: "SIGKILL" });
    expect(told.map(({ signal }) => signal)).toEqual(["SIGINT", "SIGTERM", "SIGKILL"]);
    for (const [step, leastMs] of [100, 350, 850].entries()) {
      expect(told[step]!.ms).toBeGreaterThanOrEqual(leastMs);
    }
  });

  test("hears it", async () => {
    const program = await node(
      `process.stdin.on("end", () => console.log("end of input")).resume();
      process.on("SIGINT", () => console.log("SIGINT"));
      process.on("SIGTERM", () => { console.log("SIGTERM"); process.exitCode = 9; clearInterval(on); });
      const on = setInterval(() => {}, 1e6);
      console.log("ready");`,
      { patience: { ...IMPATIENT, killMs: FOR_EVER.killMs } },
    );
    const next = linesOf(program.stdout);
    expect(await next()).toBe("ready");
    await program.stop();
    const heard = [await next(), await next(), await next()];
    expect(heard.toSorted()).toEqual(["SIGINT", "SIGTERM", "end of input"]);
    expect(await program.exited).toEqual({ code: 9, signal: null });
  });

  test("takes those with it who have a group of their own, as timeout makes one", async () => {
    const program = await sh("timeout 1000 sleep 1000 & echo $!; wait", { patience: IMPATIENT });
    const pid = Number(await linesOf(program.stdout)());
    await until(() => stateOf(pid)?.group === pid);
    await program.stop();
    expect(isAlive(pid)).toBe(false);
  });

  test("takes those with it also when it ends by the end of its input", async () => {
    const program = await sh("timeout 1000 sleep 1000 >/dev/null 2>&1 & echo $!; exec cat");
    const pid = Number(await linesOf(program.stdout)());
    await until(() => stateOf(pid)?.group === pid);
    await program.stop();
    expect(isAlive(pid)).toBe(false);
  });

  test.each([
    ["the end of its input", "exec cat", FOR_EVER, { code: 0, signal: null }],
    ["SIGINT", "exec sleep 1000", { ...FOR_EVER, intMs: 1 }, { code: null, signal: "SIGINT" }],
    [
      "SIGTERM",
      "trap '' INT; echo ready; exec sleep 1000",
      { ...IMPATIENT, killMs: FOR_EVER.killMs },
      { code: null, signal: "SIGTERM" },
    ],
  ])("and ends at %s is not waited for", async (_, script, patience, exit) => {
    const program = await sh(`${script.replace(/^exec/, "echo ready; exec")}`, { patience });
    expect(await linesOf(program.stdout)()).toBe("ready");
    await program.stop();
    expect(await program.exited).toEqual(exit);
  });

  test("at the end of its input is not signalled", async () => {
    const program = await node(
      `for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
      process.stdin.on("end", () => setTimeout(() => console.log("all done"), 50)).resume();`,
      { patience: FOR_EVER },
    );
    const said = textOf(program.stdout);
    await program.stop();
    expect(await said).toBe("all done\n");
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  test("gets all that was written to it before", async () => {
    const program = await start("wc", ["-c"], { patience: FOR_EVER });
    program.stdin!.write(Buffer.alloc(3_000_000));
    const said = textOf(program.stdout);
    await program.stop();
    expect((await said).trim()).toBe("3000000");
  });

  test("though nobody has read what it prints, ends", async () => {
    const program = await start("yes");
    await program.stop();
    expect(program.stdout.destroyed).toBe(true);
    expect(isAlive(program.pid)).toBe(false);
  });

  test("twice is stopped once", async () => {
    const trap = "trap 'echo INT >&2; exit 4' INT; echo ready; while :; do sleep 0.01; done";
    const program = await sh(trap, { patience: { ...FOR_EVER, intMs: 1 } });
    await linesOf(program.stdout)();
    const stopped = program.stop();
    expect(program.stop()).toBe(stopped);
    await stopped;
    expect(program.stop()).toBe(stopped);
    expect(await program.exited).toEqual({ code: 4, signal: null });
    expect(program.stderr).toEqual(["INT"]);
  });

  test("when it has gone is not looked for", async () => {
    const program = await start("true", [], { patience: FOR_EVER });
    await program.exited;
    await program.stop();
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  test("has ended when it was killed", async () => {
    const deaf = "trap '' INT TERM; echo ready; exec 2>&-; exec sleep 1000";
    const program = await sh(deaf, { patience: IMPATIENT });
    await linesOf(program.stdout)();
    await program.stop();
    expect(stateOf(program.pid)).toBeUndefined();
  });

  test("has its last words heard by who reads them", async () => {
    const words = "trap 'head -c 150000 /dev/zero; exit' INT; exec 2>&-; echo ready;";
    const program = await sh(`${words} while :; do sleep 0.01; done`, {
      patience: { ...FOR_EVER, intMs: 1 },
    });
    let said = "";
    const reading = (async () => {
      for await (const chunk of program.stdout) {
        said += String(chunk);
        if (said === "ready\n") continue;
        await until(() => !isAlive(program.pid)); // a reader takes its time
        for (let turns = 0; turns < 20; turns += 1) await turn();
      }
    })();
    await expect.poll(() => said).toBe("ready\n");
    await program.stop();
    await reading;
    expect(said).toHaveLength(150_006);
  });

  test("has its last words on stderr heard", async () => {
    const heard: string[] = [];
    const words =
      "trap 'seq 300 >&2; printf end >&2; exit' INT; echo ready; while :; do sleep 0.01; done";
    const program = await sh(words, {
      patience: { ...FOR_EVER, intMs: 1 },
      onStderr: (line) => {
        heard.push(line);
        const end = performance.now() + 0.1; // a log takes its time
        while (performance.now() < end);
      },
    });
    await linesOf(program.stdout)();
    await program.stop();
    expect(heard.slice(-2)).toEqual(["300", "end"]);
  });
});

describe("what a program has started", () => {
  const IGNORANT = "trap '' INT TERM; sleep 1000 & echo $!;";

  test.each([
    ["a child", "sleep 1000 & echo $!; read line"],
    ["a child that ignores signals", `${IGNORANT} exec sleep 1000`],
    ["a child of a child", "sh -c 'sleep 1000 & echo $!; wait'; wait"],
    ["a pipe of three", "(sh -c 'echo $$ >&2; exec sleep 1000' | cat | cat) 2>&1"],
    ["a child when it has gone itself", "sleep 1000 & echo $!; exit 0"],
    ["a child that ignores signals when it has gone itself", `${IGNORANT} exit 0`],
    ["a child and has closed its output", `${IGNORANT} exec >&- 2>&-; exec sleep 1000`],
  ])("ends with it: %s", async (_, script) => {
    const program = await sh(script, { patience: IMPATIENT });
    const child = await pidFrom(program);
    if (script.endsWith("exit 0")) await program.exited;
    expect(isAlive(child)).toBe(true);
    await program.stop();
    expect(isAlive(child)).toBe(false);
    expect(isAlive(program.pid)).toBe(false);
  });

  test("does not hold it up as a zombie that nobody reaps", async () => {
    // A child of the group whose parent has left the group, and does not care.
    const careless = "sleep 0 & echo child $!; exec setsid sleep 1000 >/dev/null 2>&1";
    const program = await sh(`sh -c '${careless}' & echo parent $!; exit 0`, {
      patience: FOR_EVER,
    });
    const said = await textOf(program.stdout);
    const [child, parent] = ["child", "parent"].map((name) => {
      return Number(new RegExp(`${name} (\\d+)`).exec(said)![1]);
    });
    onTestFinished(() => void process.kill(parent!, "SIGKILL"));
    await expect.poll(() => stateOf(parent!)!.group).toBe(parent);
    await expect.poll(() => stateOf(child!)!.state).toBe("Z");
    await program.stop();
    expect(stateOf(child!)).toMatchObject({ state: "Z", group: program.pid });
    expect(isAlive(parent!)).toBe(true);
  });

  test("is asked as it was, when the program has gone", async () => {
    const patient = { intMs: 1, termMs: 3_600_000, killMs: 3_600_000 };
    const program = await sh(
      `${process.execPath} --eval '
        process.on("SIGINT", () => { console.log("SIGINT"); process.exit(); });
        setInterval(() => {}, 1e6);
        console.log("ready");' & exit 0`,
      { patience: patient },
    );
    const next = linesOf(program.stdout);
    expect(await next()).toBe("ready");
    await program.exited;
    await program.stop();
    expect(await next()).toBe("SIGINT");
  });

  test("is ended though nothing else keeps the event loop going", async () => {
    const module = new URL("../../../dist/server/sources/process.js", import.meta.url);
    const script = `
      import { startProgram } from ${JSON.stringify(module.href)};
      const sleeping = "trap '' INT TERM; sleep 1000 >/dev/null 2>&1 </dev/null & echo $!";
      const program = await startProgram({
        command: "sh", args: ["-c", sleeping], env: process.env, input: false, onStderr() {},
      });
      const [pid] = await program.stdout.toArray();
      await program.stop();
      console.log(String(pid));`;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script]);
    expect(isAlive(Number(stdout))).toBe(false);
    expect(Number(stdout)).toBeGreaterThan(1);
  });
});

/** It prints the number of the process that is to be looked at. */
async function pidFrom({ stdout }: Program): Promise<number> {
  return Number(await linesOf(stdout)());
}
