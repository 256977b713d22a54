/** The load client is C, compiled when the bench starts. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findOrInstall } from "../../test/support/find-or-install.ts";
import { LOAD_PROGRAM } from "./load-client.ts";
import { checkLoad } from "./self-check.ts";

const SOURCES = fileURLToPath(new URL("../../../load/", import.meta.url)); // from dist/bench/load/

const COMPILER = {
  name: "a C compiler",
  variable: "BENCH_CC",
  files: ["cc", "gcc", "clang"],
  debianPackage: "build-essential",
};

/**
 * Compiled and checked.
 * @throws {Error} one line that says what to install, or how it counts wrong
 */
export async function buildLoad(): Promise<void> {
  await compile();
  await checkLoad();
}

async function compile(): Promise<void> {
  const { BENCH_CC } = await findOrInstall([COMPILER]);
  mkdirSync(dirname(LOAD_PROGRAM), { recursive: true });
  const files = readdirSync(SOURCES).filter((file) => file.endsWith(".c"));
  const sources = files.map((file) => join(SOURCES, file));
  execFileSync(BENCH_CC!, ["-O2", "-Wall", "-o", LOAD_PROGRAM, ...sources], { stdio: "inherit" });
}
