/**
 * A command line → the texts of each flag, or the wish for help or the version. It knows no flag
 * by itself; what the texts have to be is decided by whoever asked for them.
 */
import { parseArgs } from "node:util";

/** The command line or the environment is wrong. The message is for the person who wrote it. */
export class UsageError extends Error {}

export interface CommandLine {
  /** Every text of every flag given, in order. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** What is neither a flag nor its value. */
  readonly positionals: readonly string[];
}

/**
 * `--help` wins over every mistake. Not strict, because the messages of parseArgs itself speak to
 * programmers.
 *
 * @param names of the flags, each with a value: `--name value` or `--name=value`
 * @throws {UsageError} on an unknown flag or a missing value
 */
export function readCommandLine(
  argv: readonly string[],
  names: readonly string[],
): CommandLine | "help" | "version" {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    options: {
      ...Object.fromEntries(names.map((name) => [name, { type: "string" }])),
      help: { type: "boolean", short: "h" },
      version: { type: "boolean" },
    },
  });
  const options = tokens.filter((token) => token.kind === "option");
  const wish = (["help", "version"] as const).find((name) =>
    options.some((option) => option.name === name && option.value === undefined),
  );
  if (wish) return wish;

  const flags = new Map<string, string[]>();
  for (const { name, rawName, value, inlineValue } of options) {
    if (name === "help" || name === "version") {
      throw new UsageError(`Expected no value after \`${rawName}\``);
    }
    if (!names.includes(name)) throw new UsageError(`Unknown flag ${shown(rawName)}`);
    // What looks like the next flag is no value; -1 is one, though hardly a right one.
    if (value === undefined || (!inlineValue && /^-(?!\d)/.test(value))) {
      throw new UsageError(
        `Expected a value after \`${rawName}\`; write \`${rawName}=…\` if it begins with a dash`,
      );
    }
    flags.set(name, [...(flags.get(name) ?? []), value]);
  }
  return { flags, positionals: tokens.flatMap((t) => (t.kind === "positional" ? t.value : [])) };
}

/** A text of the user's in an error, quoted and not too long. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
