/** Machines that lack something, with an `apt-get` of their own that only writes down its calls. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findOrInstall, type Tool } from "./find-or-install.ts";
import { TOOLS } from "./tools.ts";

const SPADE: Tool = {
  name: "Spade",
  variable: "SPADE_PATH",
  files: ["spade", "spade-stable"],
  debianPackage: "spade-bin",
};
const RAKE: Tool = {
  name: "Rake",
  variable: "RAKE_PATH",
  files: ["rake-server"],
  debianPackage: "rake",
};

const INSTALLS = `case "$1" in install) /bin/cp "$0" "$(/usr/bin/dirname "$0")/spade"; /bin/cp "$0" "$(/usr/bin/dirname "$0")/rake-server";; esac`;

/** A PATH of one folder with these programs in it; `calls()` are those of its apt-get. */
function machine(programs: readonly string[], aptGet?: string) {
  const folder = mkdtempSync(join(tmpdir(), "tools-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const add = (name: string, script: string) => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  for (const name of programs) add(name, "");
  const log = join(folder, "calls");
  if (aptGet !== undefined) {
    add("apt-get", `echo "$SYSTEMD_OFFLINE $DEBIAN_FRONTEND $*" >> '${log}'\n${aptGet}`);
  }
  const calls = () => (existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : []);
  return { folder, env: { PATH: folder } as NodeJS.ProcessEnv, isRoot: true, calls, add };
}

test("finds this machine's tools", async () => {
  const found = await findOrInstall(TOOLS);
  expect(Object.keys(found)).toEqual(TOOLS.map(({ variable }) => variable));
  for (const path of Object.values(found)) expect(existsSync(path)).toBe(true);
});

test("takes the first name that is on the PATH, and installs nothing", async () => {
  const { folder, env, calls, add } = machine(["spade-stable", "rake-server"], INSTALLS);
  const tools = [SPADE, RAKE];
  expect(await findOrInstall(tools, { env, isRoot: true })).toEqual({
    SPADE_PATH: join(folder, "spade-stable"),
    RAKE_PATH: join(folder, "rake-server"),
  });
  const spade = add("spade", "");
  expect(await findOrInstall(tools, { env, isRoot: true })).toMatchObject({ SPADE_PATH: spade });
  expect(calls()).toEqual([]);
});

test("looks where it may be besides the PATH, and prefers what its variable names", async () => {
  const { folder, env } = machine(["a-spade", "my-spade"]);
  const tool = { ...SPADE, elsewhere: ["/nowhere/spade", join(folder, "a-spade")] };
  expect(await findOrInstall([tool], { env, isRoot: false })).toEqual({
    SPADE_PATH: join(folder, "a-spade"),
  });
  const SPADE_PATH = join(folder, "my-spade");
  const configured = { env: { ...env, SPADE_PATH }, isRoot: false };
  expect(await findOrInstall([tool], configured)).toEqual({ SPADE_PATH });
});

test("a file that cannot be executed and a folder are not the tool", async () => {
  const { folder, env } = machine([]);
  writeFileSync(join(folder, "spade"), "");
  mkdirSync(join(folder, "spade-stable"));
  await expect(findOrInstall([SPADE], { env, isRoot: true })).rejects.toThrow("need Spade");
});

test("installs all that is missing with one update, and lets no service start", async () => {
  const { folder, env, calls } = machine([], INSTALLS);
  expect(await findOrInstall([SPADE, RAKE], { env, isRoot: true })).toEqual({
    SPADE_PATH: join(folder, "spade"),
    RAKE_PATH: join(folder, "rake-server"),
  });
  expect(calls()).toEqual([
    "1 noninteractive update",
    expect.stringMatching(/^1 noninteractive install -y .* spade-bin rake$/),
  ]);
});

test("installs although a part of the update has failed", async () => {
  const { folder, env } = machine([], `${INSTALLS}\ncase "$1" in update) exit 100;; esac`);
  expect(await findOrInstall([SPADE], { env, isRoot: true })).toEqual({
    SPADE_PATH: join(folder, "spade"),
  });
});

test("installs only what is missing", async () => {
  const { env, calls } = machine(["spade"], INSTALLS);
  await findOrInstall([SPADE, RAKE], { env, isRoot: true });
  expect(calls()[1]).toMatch(/ rake$/);
  expect(calls()[1]).not.toContain("spade-bin");
});

const LINE =
  "The tests need Spade and Rake: apt-get install spade-bin rake (Debian), or set SPADE_PATH and RAKE_PATH";

test.each([
  ["without apt-get", undefined, true],
  ["without being root", INSTALLS, false],
  ["when apt-get fails", "echo 'E: Unable to locate package' >&2; exit 100", true],
  ["when apt-get installs something else", "exit 0", true],
])("names everything that is missing in one line: %s", async (_, aptGet, isRoot) => {
  const { env, calls } = machine([], aptGet);
  await expect(findOrInstall([SPADE, RAKE], { env, isRoot })).rejects.toThrow(LINE);
  expect(calls().length).toBe(isRoot && aptGet !== undefined ? 2 : 0);
});

test("says why apt-get has failed", async () => {
  const { env } = machine([], "echo 'E: Unable to locate package' >&2; exit 100");
  const error: unknown = await findOrInstall([SPADE], { env, isRoot: true }).catch(
    (e: unknown) => e,
  );
  expect(String((error as AggregateError).errors[1])).toContain("E: Unable to locate package");
});

test("a variable that names nothing is told, and nothing is installed for it", async () => {
  const { env, calls } = machine(["spade"], INSTALLS);
  const mistaken = { env: { ...env, SPADE_PATH: "/nowhere/spade" }, isRoot: true };
  await expect(findOrInstall([SPADE, RAKE], mistaken)).rejects.toThrow(
    "The tests need Spade (SPADE_PATH is not an executable file: /nowhere/spade) and Rake: apt-get",
  );
  expect(calls()).toEqual([]);
});
