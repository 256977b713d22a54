import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { isLivingMember, livingMembers, memberOf } from "../../../server/sources/group-members.ts";
import { stateOf } from "../../exec/processes.ts";
import { linesOf, sh, start } from "../../support/started-program.ts";

describe("the living members of a session", () => {
  test("are its leader and what that has started", async () => {
    const program = await sh("sleep 1000 & echo $!; sleep 1000 & echo $!; wait");
    const next = linesOf(program.stdout);
    const children = [Number(await next()), Number(await next())];
    const members = (await livingMembers(program.pid))!;
    const pids = members.map(({ pid }) => pid);
    expect(pids.toSorted()).toEqual([program.pid, ...children].toSorted());
    expect(members.map(({ group }) => group)).toEqual(members.map(() => program.pid));
    await program.stop();
    expect(await livingMembers(program.pid)).toEqual([]);
  });

  test("are no zombies", async () => {
    const program = await sh("sleep 0 & echo $!; exec sleep 1000");
    const child = Number(await linesOf(program.stdout)());
    await expect.poll(() => stateOf(child)!.state).toBe("Z");
    expect(process.kill(child, 0)).toBe(true);
    expect(isLivingMember(child, program.pid)).toBe(false);
    const own = { pid: program.pid, group: program.pid };
    expect(await livingMembers(program.pid)).toEqual([own]);
  });

  test("may have any name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "group-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const command = join(folder, ") Z 1 1 (ü\n");
    copyFileSync("/bin/sleep", command);
    const program = await start(command, ["1000"]);
    const own = { pid: program.pid, group: program.pid };
    expect(await livingMembers(program.pid)).toEqual([own]);
  });
});

describe("a process lives in session 7", () => {
  const stat = (state: string, session: number, threads: number) =>
    `9 (a name) ${state} 1 8 ${session} 0 -1 4227072 0 0 0 0 0 0 0 0 20 0 ${threads} 0 1 0 0`;

  test.each([
    ["running", stat("R", 7, 1), true],
    ["sleeping", stat("S", 7, 4), true],
    ["stopped", stat("T", 7, 1), true],
    ["a zombie", stat("Z", 7, 1), false],
    ["dead", stat("X", 7, 1), false],
    ["a zombie but for its other threads", stat("Z", 7, 2), true],
    ["of another session", stat("S", 8, 1), false],
    ["of one that begins alike", stat("S", 77, 1), false],
    ["gone", "", false],
    ["cut short", "9 (a name) S 1", false],
  ])("when it is %s: %#", (_, text, lives) => {
    expect(memberOf(7, text)).toEqual(lives ? { pid: 9, group: 8 } : undefined);
  });
});
