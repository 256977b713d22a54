#!/usr/bin/env node
/** The program: which command is meant, and what becomes of what it throws. */
import { UsageError } from "./command-line.ts";

interface Command {
  /** What belongs below a UsageError. */
  readonly usage: string;
  readonly run: (argv: readonly string[]) => Promise<void>;
}

/** Only what a command needs is loaded: a `tail` starts without the server. */
async function commandOf(name: string | undefined): Promise<Command> {
  if (name === "tail") {
    const { tailCommand, USAGE } = await import("./commands/tail.ts");
    return { usage: USAGE, run: tailCommand };
  }
  if (name === "exec") {
    const { execCommand, USAGE } = await import("./commands/exec.ts");
    return { usage: USAGE, run: execCommand };
  }
  if (name === "load") {
    const { loadCommand, USAGE } = await import("./commands/load.ts");
    return { usage: USAGE, run: loadCommand };
  }
  if (name === "pipe") {
    const { pipeCommand, USAGE } = await import("./commands/pipe.ts");
    return { usage: USAGE, run: pipeCommand };
  }
  const { serveCommand, USAGE } = await import("./commands/serve.ts");
  return { usage: USAGE, run: serveCommand };
}

const argv = process.argv.slice(2);
const command = await commandOf(argv[0]);
try {
  await command.run(argv);
} catch (error) {
  const usage = error instanceof UsageError;
  // A bug comes with its stack.
  console.error(usage ? `${error.message}\n\n${command.usage}` : error);
  process.exit(usage ? 2 : 1);
}
