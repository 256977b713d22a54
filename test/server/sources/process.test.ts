/** Programs as they are started, fed and read. How they end is in process-stop.test.ts. */
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { PushError } from "../../../server/errors.ts";
import { startProgram } from "../../../server/sources/process.ts";
import { turn } from "../../client/manual-time.ts";
import { bytesWritten, stateOf } from "../../exec/processes.ts";
import { linesOf, sh, start, textOf } from "../../support/started-program.ts";

describe("what a program is given", () => {
  test("arguments arrive as they are, whatever a shell would make of them", async () => {
    const args = ["two words", `it's "so"`, "$(id)", "`id`", "a\nb", "*", "~", ";", "", "-x", "ü€"];
    const printed = "process.stdout.write(JSON.stringify(process.argv.slice(1)))";
    const program = await start(process.execPath, ["--eval", printed, "--", ...args]);
    expect(JSON.parse(await textOf(program.stdout))).toEqual(args);
  });

  test("the environment is what was given and nothing else", async () => {
    const env = { A: "1", EMPTY: "", LINES: "a\nb=c", "odd name": "$A", ÜML: "ü€" };
    const program = await start("/usr/bin/env", ["-0"], { env });
    const variables = (await textOf(program.stdout)).split("\0").slice(0, -1);
    expect(variables.toSorted()).toEqual(
      Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .toSorted(),
    );
  });

  test("a command without a slash is looked for in the PATH it is given", async () => {
    const script = makeScript("#!/bin/sh\necho found", 0o755);
    const program = await start("script", [], { env: { PATH: join(script, "..") } });
    expect(await textOf(program.stdout)).toBe("found\n");
  });

  test("a stdin that can be written to, and ended", async () => {
    const program = await start("cat");
    program.stdin!.write("a\n");
    program.stdin!.end("b");
    expect(await textOf(program.stdout)).toBe("a\nb");
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  test("without input, a stdin that is at its end", async () => {
    const program = await start("cat", [], { input: false });
    expect(program.stdin).toBeUndefined();
    expect(await textOf(program.stdout)).toBe("");
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });

  test("a group and a session of its own", async () => {
    const program = await sh("ps -o pid=,pgid=,sid= -p $$");
    const { pid } = program;
    expect((await textOf(program.stdout)).trim().split(/\s+/).map(Number)).toEqual([pid, pid, pid]);
  });
});

describe("a program that cannot be started", () => {
  test.each([
    ["is not there", "no-such-program", "Cannot start no-such-program: it was not found"],
    ["has spaces and is not there", "no such", `Cannot start "no such": it was not found`],
    ["has no name", "", `Cannot start "": its name is empty`],
    ["is a folder", "/", "Cannot start /: it may not be run"],
    ["has a null byte", "a\0b", String.raw`Cannot start "a\u0000b": its name is empty, or it was`],
  ])("because it %s is told in words", async (_, command, message) => {
    await expect(start(command)).rejects.toThrow(message);
    await expect(start(command)).rejects.toMatchObject({ code: "program_failed" });
    await expect(start(command)).rejects.toBeInstanceOf(PushError);
  });

  test.each([
    ["a file that may not be run", "#!/bin/sh\n", 0o644, "it may not be run"],
    ["a script for what is not there", "#!/no/such\n", 0o755, "or what its first line names"],
  ])("because it is %s is told too", async (_, text, mode, message) => {
    await expect(start(makeScript(text, mode))).rejects.toThrow(message);
  });

  test("because of what it was given neither throws nor tells what that was", async () => {
    const none = { command: "sh", args: [], env: {}, input: true, onStderr: () => {} };
    const refused = startProgram({ ...none, env: { TOKEN: "secret\0" } });
    await expect(refused).rejects.toThrow("Cannot start sh: its name is empty, or it was given a");
    await expect(refused).rejects.not.toThrow("secret");
    await expect(startProgram({ ...none, args: ["a\0"] })).rejects.toThrow("a null byte");
    await expect(startProgram({ ...none, args: ["x".repeat(4e6)] })).rejects.toThrow("too long");
  });
});

describe("a script that does not say what runs it", () => {
  // execvp(3) hands it to sh, as every shell does; where the C library does not, it cannot start.
  test.each([
    ["nothing", "", ""],
    ["a command", 'printf %s "$1"', "$(id)"],
  ])("but has %s is run by sh, its arguments as they are, or refused", async (_, text, output) => {
    const script = makeScript(text, 0o755);
    const ran = await start(script, ["$(id)"]).then(({ stdout }) => textOf(stdout), String);
    expect([output, `PushError: Cannot start ${script}: it is not a program`]).toContain(ran);
  });
});

describe("what a program prints", () => {
  test("is kept until it is read, though the program has ended", async () => {
    const program = await sh("head -c 50000 /dev/zero; exit 3");
    expect(await program.exited).toEqual({ code: 3, signal: null });
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(await textOf(program.stdout)).toHaveLength(50_000);
  });

  test("waits for a reader that pauses, though the program has ended", async () => {
    const program = await sh("head -c 150000 /dev/zero");
    let bytes = 0;
    program.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      program.stdout.pause();
    });
    await program.exited;
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(bytes).toBeLessThan(100_000); // one chunk
    program.stdout.on("data", () => program.stdout.resume());
    program.stdout.resume();
    await once(program.stdout, "end");
    expect(bytes).toBe(150_000);
  });

  test("makes it wait when nobody reads", async () => {
    const { pid, stdout } = await start("yes");
    await expect.poll(() => bytesWritten(pid)).toBeGreaterThan(1_000);
    await expect.poll(() => stateOf(pid)!.state).toBe("S"); // its pipe is full
    const held = bytesWritten(pid);
    expect(held).toBeLessThan(2_000_000);
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(bytesWritten(pid)).toBe(held);
    stdout.resume();
    await expect.poll(() => bytesWritten(pid)).toBeGreaterThan(20_000_000);
  });

  test("may end before the program does", async () => {
    const program = await sh("echo out; exec >&-; read line; exit 7");
    expect(await textOf(program.stdout)).toBe("out\n");
    program.stdin!.end("\n");
    expect(await program.exited).toEqual({ code: 7, signal: null });
  });

  test("may end after the program does, when what it has started still prints", async () => {
    const folder = makeFolder();
    const waiting = `(until [ -e ${folder}/go ]; do sleep 0.01; done; echo late) & exit 5`;
    const program = await sh(waiting);
    expect(await program.exited).toEqual({ code: 5, signal: null });
    writeFileSync(join(folder, "go"), "");
    expect(await textOf(program.stdout)).toBe("late\n");
  });
});

describe("a program that does not read", () => {
  test("because it has closed its stdin makes writing to it do nothing", async () => {
    const program = await sh("exec <&-; echo closed; exec sleep 1000");
    const next = linesOf(program.stdout);
    expect(await next()).toBe("closed");
    program.stdin!.write("into the void\n");
    await expect.poll(() => program.stdin!.destroyed).toBe(true);
    program.stdin!.write("once more\n");
    program.stdin!.end();
    await program.stop();
  });

  test("because it has ended makes it do nothing too", async () => {
    const program = await start("true");
    program.stdin!.write("x".repeat(1_000_000));
    await program.exited;
    program.stdin!.write("y");
    await program.stop();
  });
});

/** @returns its path */
function makeScript(text: string, mode: number): string {
  const path = join(makeFolder(), "script");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "program-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
