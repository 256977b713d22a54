/**
 * Finds the programs that tests need. A machine without one must never become a test that is quietly
 * left out: each is found, or installed, or one line says everything that is missing.
 */
import { execFile } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

export interface Tool {
  /** For people. */
  readonly name: string;
  /** The environment variable that may name it, and that the tests read. */
  readonly variable: string;
  /** What it may be called on the PATH; the first one found is taken. */
  readonly files: readonly string[];
  /** Whole paths, tried when it is not on the PATH. */
  readonly elsewhere?: readonly string[];
  readonly debianPackage: string;
}

export interface Machine {
  readonly env: NodeJS.ProcessEnv;
  readonly isRoot: boolean;
}

const THIS_MACHINE: Machine = { env: process.env, isRoot: process.getuid?.() === 0 };

const run = promisify(execFile);

/**
 * The variable and the path of every tool. As root on Debian it installs those that are missing.
 * @throws {Error} one line that names every tool that is missing
 */
export async function findOrInstall(
  tools: readonly Tool[],
  machine: Machine = THIS_MACHINE,
): Promise<Record<string, string>> {
  const { env, isRoot } = machine;
  const missing = await missingOf(tools, env);
  if (missing.length > 0) {
    const [aptGet] = await executables(onPath(["apt-get"], env));
    // A variable that names nothing is a mistake, and not for a package to mend.
    const mistaken = missing.some(({ variable }) => env[variable] !== undefined);
    if (aptGet === undefined || !isRoot || mistaken) throw new Error(message(missing, env));
    await install(aptGet, missing, env);
  }
  const found = tools.map(async (tool) => [tool.variable, (await find(tool, env))!] as const);
  return Object.fromEntries(await Promise.all(found));
}

async function install(
  aptGet: string,
  missing: readonly Tool[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const options = {
    env: {
      ...env,
      DEBIAN_FRONTEND: "noninteractive",
      // Debian starts what it installs, on the port everybody wants. This lets systemctl refuse
      // (systemd's docs/ENVIRONMENT.md); elsewhere the tests do not mind a system's nginx.
      SYSTEMD_OFFLINE: "1",
    },
  };
  const packages = missing.map(({ debianPackage }) => debianPackage);
  const failures: unknown[] = [];
  const fail = (error: unknown) => failures.push(error);
  // One bad source fails the whole update, though the others are good enough to install from.
  await run(aptGet, ["update"], options).catch(fail);
  const flags = ["-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
  await run(aptGet, ["install", ...flags, ...packages], options).catch(fail);
  const still = await missingOf(missing, env);
  if (still.length > 0) throw new AggregateError(failures, message(still, env));
}

async function missingOf(tools: readonly Tool[], env: NodeJS.ProcessEnv): Promise<Tool[]> {
  const found = await Promise.all(tools.map((tool) => find(tool, env)));
  return tools.filter((_, index) => found[index] === undefined);
}

async function find(
  { variable, files, elsewhere = [] }: Tool,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const configured = env[variable];
  const paths = configured === undefined ? [...onPath(files, env), ...elsewhere] : [configured];
  return (await executables(paths))[0];
}

/** In one line: what is missing, and both ways to get it. */
function message(missing: readonly Tool[], env: NodeJS.ProcessEnv): string {
  const what = missing.map(({ name, variable }) => {
    const configured = env[variable];
    return configured === undefined
      ? name
      : `${name} (${variable} is not an executable file: ${configured})`;
  });
  const packages = missing.map(({ debianPackage }) => debianPackage).join(" ");
  const variables = missing.map(({ variable }) => variable);
  return `The tests need ${list(what)}: apt-get install ${packages} (Debian), or set ${list(variables)}`;
}

function list(words: readonly string[]): string {
  return new Intl.ListFormat("en").format(words);
}

function onPath(files: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const folders = (env["PATH"] ?? "").split(delimiter).filter(Boolean);
  return files.flatMap((file) => folders.map((folder) => join(folder, file)));
}

async function executables(paths: readonly string[]): Promise<string[]> {
  const are = await Promise.all(paths.map(isExecutable));
  return paths.filter((_, index) => are[index]);
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
