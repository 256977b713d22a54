/** Starts a program that prints where it listens, and waits for that line. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface Listening {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** What it has printed, stdout and stderr together. */
  output(): string;
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/**
 * @param line a line it prints; its first group is the port
 * @param env in addition to this process's own
 * @throws {Error} when it ends before it has printed that
 */
export async function startListening(
  [file, ...args]: readonly [string, ...string[]],
  line: RegExp,
  env: NodeJS.ProcessEnv = {},
): Promise<Listening> {
  const child = spawn(file, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const port = await new Promise<number>((resolve, reject) => {
    const take = (text: Buffer) => {
      output += text.toString();
      const found = line.exec(output);
      if (found) resolve(Number(found[1]));
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`${file} ended with ${code}:\n${output}`)));
  });
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, "exit");
      child.kill(signal);
      await exit;
    }
    return child.signalCode ?? child.exitCode!;
  };
  return { url: `http://127.0.0.1:${port}`, port, process: child, output: () => output, kill };
}
