/** What is opened is closed: nothing is left of programs that were started and stopped. */
import { expect, test } from "vitest";
import { startProgram } from "../../../server/sources/process.ts";
import { childrenOf, openFiles } from "../../exec/processes.ts";
import { linesOf, PATH_ONLY } from "../../support/started-program.ts";

const PROGRAMS = 100;
const AT_ONCE = 20;

/** As different as programs are that meet clients: read to the end, half, or never. */
const KINDS: readonly (() => Promise<void>)[] = [
  () => run("exit 3"),
  () => run("exec cat"),
  () => run("echo a; echo b >&2", "read"),
  () => run("exec yes"),
  () => run("exec yes", "line"),
  () => run("exec yes >&2"),
  () => run("sleep 1000 & exit 0"),
  () => run("trap '' INT; exec sleep 1000"),
  () => run("exec <&- >&- 2>&-; exec sleep 1000"),
  () => refused("no-such-program"),
  () => refused("/"),
];

test("a thousand programs leave no file descriptor and no zombie", async () => {
  let begun = 0;
  const runAll = async (until: number) => {
    while (begun < until) {
      begun += 1;
      await KINDS[begun % KINDS.length]!();
    }
  };
  const runSome = (until: number) =>
    Promise.all(Array.from({ length: AT_ONCE }, () => runAll(until)));
  await runSome(2 * AT_ONCE); // what is opened once
  const files = openFiles(process.pid).length;
  const children = childrenOf(process.pid).length;
  await runSome(PROGRAMS);
  await expect.poll(() => openFiles(process.pid).length).toBeLessThanOrEqual(files);
  expect(childrenOf(process.pid).length).toBeLessThanOrEqual(children);
});

async function run(script: string, what?: "read" | "line"): Promise<void> {
  const given = { command: "sh", args: ["-c", script], env: PATH_ONLY, onStderr: () => {} };
  const patience = { intMs: 10, termMs: 10, killMs: 10 };
  const program = await startProgram({ ...given, input: true, patience });
  program.stdin!.write("input\n");
  if (what) await linesOf(program.stdout)();
  if (what === "read") await program.exited;
  await program.stop();
}

async function refused(command: string): Promise<void> {
  const given = { command, args: [], env: PATH_ONLY, input: true, onStderr: () => {} };
  await expect(startProgram(given)).rejects.toThrow("Cannot start");
}
