/**
 * The flags of `exec` and the command behind them. The command begins after `--`, or at the first
 * word that is no flag: `npx` may take the `--` for its own.
 */
export interface Split {
  /** Flags of ours, with their values. */
  readonly own: readonly string[];
  /** The command and its arguments, as they are. */
  readonly words: readonly string[];
}

/** @param values the flags that have a value, without the dashes */
export function splitCommand(argv: readonly string[], values: readonly string[]): Split {
  for (let index = 0; index < argv.length; index += 1) {
    const text = argv[index]!;
    if (text === "--") return { own: argv.slice(0, index), words: argv.slice(index + 1) };
    if (!text.startsWith("-")) return { own: argv.slice(0, index), words: argv.slice(index) };
    if (values.includes(text.replace(/^--?/, ""))) index += 1; // what follows is its value
  }
  return { own: argv, words: [] };
}
