/**
 * The README's examples, run exactly as they are printed, in their order, and what they print
 * compared with what the README says they print. `…` stands for anything.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startProcess, type ServerProcess } from "./support/server.ts";

interface Example {
  readonly language: string;
  readonly code: string;
  /** What the next block says it prints. */
  readonly prints: string | undefined;
}

const FOLDER = "test-results/readme";
const examples = examplesOf(readFileSync("README.md", "utf8"));
const programs: ChildProcess[] = [];
let server: ServerProcess;
let lastOutput = "";

beforeAll(async () => {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  server = await startProcess([...(await metricsServerArgs()), "--publish-token", "secret"]);
});

afterAll(async () => {
  for (const program of programs) program.kill("SIGKILL");
  await server.kill("SIGKILL");
});

test("gives exactly two set-up commands, and CI runs the second", () => {
  const text = readFileSync("README.md", "utf8");
  expect(text.match(/npm ci && npm \w+/g)).toEqual(["npm ci && npm start", "npm ci && npm test"]);
  expect(readFileSync(".ci/run", "utf8")).toMatch(/\nnpm ci && npm test\n$/);
});

describe("example", () => {
  const runnable = examples.filter(({ code }) => !code.startsWith("npm ci"));
  test("there are some of each kind", () => {
    const languages = runnable.map(({ language }) => language);
    expect(languages.filter((language) => language === "sh").length).toBeGreaterThanOrEqual(3);
    expect(languages.filter((language) => language === "js").length).toBeGreaterThanOrEqual(4);
  });

  test.each(runnable)("$language: $code", async ({ language, code, prints }) => {
    const output =
      language === "js" ? await runProgram(code, prints) : await runShell(code, prints);
    lastOutput = output;
    expect(output.trim()).toMatch(pattern(prints));
  });
});

/** As printed, on port 8000; only where that is taken on this machine, another one is put in. */
async function metricsServerArgs(): Promise<string[]> {
  const free = await new Promise<boolean>((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(8000, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
  return free ? ["--port", "8000"] : [];
}

function onThisMachine(code: string): string {
  // The reader was told to put in the id of the answer before.
  const id = /system_metrics_[\w-]+/.exec(lastOutput)?.[0] ?? "";
  return code
    .replaceAll("system_metrics_…", id)
    .replaceAll("localhost:8000", `localhost:${server.port}`);
}

/** Until it ends; a stream has no end, so that is left as soon as it has printed what it should. */
async function runShell(code: string, prints: string | undefined): Promise<string> {
  const shell = spawn("bash", ["-c", onThisMachine(code)], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true, // a group of its own, so that a pipe ends with it
  });
  const output = await printed(shell, pattern(prints));
  if (shell.exitCode === null) process.kill(-shell.pid!, "SIGKILL");
  return output;
}

/** Saved under the name in its first line and run; a server goes on until the last example. */
function runProgram(code: string, prints: string | undefined): Promise<string> {
  const name = /^\/\/ (\S+\.mjs)\n/.exec(code)![1]!;
  writeFileSync(`${FOLDER}/${name}`, onThisMachine(code));
  const program = spawn(process.execPath, [`${FOLDER}/${name}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  programs.push(program);
  return printed(program, name === "orders.mjs" ? pattern(prints) : undefined);
}

/** What it has printed when it has ended, or as soon as it has printed what is waited for. */
function printed(program: ChildProcess, enough: RegExp | undefined): Promise<string> {
  return new Promise((resolve) => {
    let output = "";
    program.stdout!.on("data", (text: Buffer) => {
      output += text.toString();
      if (enough?.test(output.trim())) resolve(output);
    });
    program.once("close", () => resolve(output));
  });
}

function pattern(prints: string | undefined): RegExp {
  const text = (prints ?? "…").trim();
  const source = text.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${source.join("[^]*")}$`);
}

function examplesOf(text: string): Example[] {
  const blocks = [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, language, code]) => ({
    language: language!,
    code: code!.trim(),
  }));
  return blocks.flatMap((block, index) => {
    if (block.language === "text" || block.language === "nginx") return []; // nginx.test.ts runs it
    const next = blocks[index + 1];
    return [{ ...block, prints: next?.language === "text" ? next.code : undefined }];
  });
}
