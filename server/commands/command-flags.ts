/**
 * The flags of the commands that are clients: those with a value as everywhere, those without one
 * (`--debug`), and all of them with one dash too (`-url`), as the load client of old had them.
 */
import { type CommandLine, readCommandLine, shown, UsageError } from "../command-line.ts";

import type { Rule } from "../config-rules.ts";

export interface CommandFlags extends CommandLine {
  /** The flags without a value that were given. */
  readonly switches: ReadonlySet<string>;
}

/** @throws {UsageError} on an unknown flag, or one that lacks its value */
export function readFlags(
  argv: readonly string[],
  { values, switches }: { values: readonly string[]; switches: readonly string[] },
): CommandFlags | "help" | "version" {
  const on = new Set<string>();
  const rest: string[] = [];
  for (const [index, text] of argv.entries()) {
    const [, name, value] = /^--?([a-z][a-z-]+)(?:=(.*))?$/s.exec(text) ?? [];
    // What follows a flag with a value is one, whatever it looks like.
    const isValue = takesValue(argv[index - 1], values);
    if (isValue || name === undefined) rest.push(text);
    else if (!switches.includes(name))
      rest.push(values.includes(name) ? `-${text.replace(/^-+/, "-")}` : text);
    else if (value === undefined || value === "true") on.add(name);
    else if (value !== "false") throw new UsageError(`Expected no value after \`--${name}\``);
  }
  const commandLine = readCommandLine(rest, values);
  return typeof commandLine === "string" ? commandLine : { ...commandLine, switches: on };
}

/** The last value of a flag, judged by a rule's `parse`. */
export function flagValue<T>(flags: CommandFlags, name: string, rule: Rule<T>): T | undefined {
  return flagValues(flags, name, rule).at(-1);
}

/** All values of a flag that may be given several times. */
export function flagValues<T>(
  { flags }: CommandFlags,
  name: string,
  { parse, expected }: Rule<T>,
): T[] {
  return (flags.get(name) ?? []).map((text) => {
    const value = parse(text);
    if (value !== undefined) return value;
    throw new UsageError(`Expected \`--${name}\` to be ${expected}, got ${shown(text)}`);
  });
}

function takesValue(text: string | undefined, values: readonly string[]): boolean {
  const [, name] = /^--?([a-z][a-z-]+)$/.exec(text ?? "") ?? [];
  return name !== undefined && values.includes(name);
}
