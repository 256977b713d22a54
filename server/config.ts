/**
 * Flags and environment → one frozen Config. Every setting, with its default, unit and bounds, is
 * one entry of SETTINGS; `--help` is made of the same entries.
 */
import { type CommandLine, readCommandLine, shown, UsageError } from "./command-line.ts";
import {
  bearerToken,
  hostName,
  oneOf,
  origin,
  seconds,
  wholeNumber,
  type Rule,
} from "./config-rules.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

export interface Config {
  /** 0 takes any free port. */
  readonly port: number;
  readonly host: string;
  readonly metrics: "system" | "simulated";
  readonly metricsIntervalMs: number;
  readonly heartbeatMs: number;
  /** Events kept per topic. */
  readonly historyEvents: number;
  /** Events that may wait for one subscription. */
  readonly subscriptionCapacity: number;
  readonly leaseMs: number;
  /** As browsers send them: lower case, no default port. */
  readonly allowOrigins: readonly string[];
  /** Without one nobody may publish. */
  readonly publishToken: string | undefined;
}

export { UsageError }; // what parseConfig throws

/** What belongs below a UsageError. */
export const USAGE = `Usage: capnweb-push [serve] [flags]
Run \`capnweb-push --help\` for all flags.`;

type Command =
  | { readonly kind: "run"; readonly config: Config }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" };

interface Setting<T> extends Rule<T> {
  readonly flag: string;
  /** Names the unit. */
  readonly placeholder: string;
  /** The default, as a user would write it. */
  readonly fallback?: string;
  /** May be given several times; in the environment with commas or spaces between. */
  readonly repeatable?: true;
  /** Is never shown, not even in an error. */
  readonly secret?: true;
  /** For --help, at most 74 characters a line. */
  readonly about: readonly string[];
}

const SETTINGS = {
  port: {
    flag: "port",
    placeholder: "PORT",
    fallback: "8000",
    ...wholeNumber("a whole number", 0, 65_535),
    about: ["TCP port to listen on. 0 takes any free one and prints it."],
  },
  host: {
    flag: "host",
    placeholder: "HOST",
    fallback: "localhost",
    ...hostName(),
    about: ["Name or address to listen on. 0.0.0.0 or :: opens it to the network."],
  },
  metrics: {
    flag: "metrics",
    placeholder: "SOURCE",
    fallback: "system",
    ...oneOf("system", "simulated"),
    about: ["`system`: real figures of this host. `simulated`: realistic made-up ones."],
  },
  metricsIntervalMs: {
    flag: "metrics-interval",
    placeholder: "MS",
    fallback: "1000",
    ...wholeNumber("a whole number of milliseconds", 10, 3_600_000),
    about: ["Milliseconds between two samples of the metrics."],
  },
  heartbeatMs: {
    flag: "heartbeat",
    placeholder: "SECONDS",
    fallback: String(DEFAULT_LIMITS.heartbeatMs / 1000),
    ...seconds(0.01, 3600),
    about: ["Seconds of silence after which clients get a sign of life."],
  },
  historyEvents: {
    flag: "history",
    placeholder: "EVENTS",
    fallback: String(DEFAULT_LIMITS.historyEvents),
    ...wholeNumber("a whole number of events", 1, 1_000_000),
    about: ["Events kept per topic, for clients that come late or come back."],
  },
  subscriptionCapacity: {
    flag: "subscription-capacity",
    placeholder: "EVENTS",
    fallback: String(DEFAULT_LIMITS.subscriptionCapacity),
    ...wholeNumber("a whole number of events", 1, DEFAULT_LIMITS.maxSubscriptionCapacity),
    about: ["Events that may wait for one polling subscription; then the oldest go."],
  },
  leaseMs: {
    flag: "lease",
    placeholder: "SECONDS",
    fallback: String(DEFAULT_LIMITS.leaseMs / 1000),
    ...seconds(0.01, 86_400),
    about: ["Seconds a polling subscription lives without a poll."],
  },
  allowOrigins: {
    flag: "allow-origin",
    placeholder: "ORIGIN",
    repeatable: true,
    ...origin(),
    about: [
      "Lets in the pages of this origin, such as https://example.com. Repeatable;",
      "in the environment with commas or spaces between.",
    ],
  },
  publishToken: {
    flag: "publish-token",
    placeholder: "TOKEN",
    secret: true,
    ...bearerToken(),
    about: [
      "Lets clients that show it publish over the network; without it nobody may.",
      "Better in the environment: other users can see a process's flags.",
    ],
  },
} satisfies { readonly [Name in keyof Config]: Setting<One<Config[Name]>> };

/** What one text gives; a repeatable setting is a list of these. */
type One<Value> = Value extends readonly (infer Item)[] ? Item : Exclude<Value, undefined>;

export type SettingName = keyof Config;

const ALL = Object.keys(SETTINGS) as SettingName[];

/**
 * A flag wins over the environment, and the last of several over the others. An empty variable is
 * as good as none.
 *
 * @param argv what follows the program's name, as in `process.argv.slice(2)`
 * @throws {UsageError} and nothing else
 */
export function parseConfig({ argv, env }: { argv: readonly string[]; env: Environment }): Command {
  const commandLine = readCommandLine(argv, settingFlags(ALL));
  if (commandLine === "help") return { kind: "help", text: helpText() };
  if (commandLine === "version") return { kind: "version" };
  const { flags, positionals } = commandLine;
  const stray = positionals[0] === "serve" ? positionals[1] : positionals[0];
  if (stray !== undefined) throw new UsageError(`Unexpected argument ${shown(stray)}`);
  return { kind: "run", config: readSettings(ALL, { flags, env }) };
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The settings that a command has, frozen.
 * @throws {UsageError}
 */
export function readSettings<Name extends SettingName>(
  names: readonly Name[],
  { flags, env }: { flags: CommandLine["flags"]; env: Environment },
): Pick<Config, Name> {
  const all = (setting: Setting<unknown>): unknown[] => {
    const given = flags.get(setting.flag);
    if (given) return given.map((text) => parsed(text, setting, `\`--${setting.flag}\``));
    const variable = variableOf(setting);
    // `set PORT=9000 && npm start` on Windows and files of secrets leave a blank at the end.
    const text = env[variable]?.trim() || (setting.fallback ?? "");
    const texts = setting.repeatable ? text.split(/[\s,]+/) : [text];
    return texts
      .filter((part) => part !== "")
      .map((part) => parsed(part, setting, `the environment variable \`${variable}\``));
  };
  const values = names.map((name) => {
    const setting: Setting<unknown> = SETTINGS[name];
    return [
      name,
      setting.repeatable ? Object.freeze([...new Set(all(setting))]) : all(setting).at(-1),
    ];
  });
  return Object.freeze(Object.fromEntries(values)) as Pick<Config, Name>;
}

/** Their flags, without the dashes. */
export function settingFlags(names: readonly SettingName[]): string[] {
  return names.map((name) => SETTINGS[name].flag);
}

/** Their part of a `--help`. */
export function settingRows(names: readonly SettingName[]): string {
  const rows = names.flatMap((name) => {
    const setting: Setting<unknown> = SETTINGS[name];
    const { flag, placeholder, fallback, range, about } = setting;
    return [
      helpRow(`  --${flag} ${placeholder}`, variableOf(setting), fallback, range),
      ...about.map((line) => `      ${line}`),
    ];
  });
  return [helpRow("Flag", "Environment", "Default", "Range"), ...rows].join("\n");
}

function parsed<T>(text: string, { parse, expected, secret }: Setting<T>, where: string): T {
  const value = parse(text);
  if (value !== undefined) return value;
  const got = secret ? "something else, not shown here" : shown(text);
  throw new UsageError(`Expected ${where} to be ${expected}, got ${got}`);
}

function variableOf({ flag }: { readonly flag: string }): string {
  return flag.toUpperCase().replaceAll("-", "_");
}

function helpText(): string {
  return `Publish once; every client gets every event, in order, and is told exactly what
it missed, over Cap'n Web RPC, Server-Sent Events, WebSocket, long-polling or
polling. Serves live system metrics.

Usage: capnweb-push [serve] [flags]
       capnweb-push exec [flags] -- COMMAND   stream what a program prints
       COMMAND | capnweb-push pipe TOPIC      publish each line that is piped in
       capnweb-push tail URL [flags]          print the events of a topic
       capnweb-push load --url URL            subscribe many times and measure
Each has its own --help.

${settingRows(ALL)}
${helpRow("  -h, --help", "Show this text.")}
${helpRow("  --version", "Show the version.")}

A flag wins over its environment variable. Seconds may have fractions.

Examples:
  capnweb-push --port 9000 --metrics simulated
  PUBLISH_TOKEN=secret capnweb-push --host :: --allow-origin https://a.example`;
}

function helpRow(flag: string, variable: string, fallback = "", range = ""): string {
  return `${flag.padEnd(33)} ${variable.padEnd(22)} ${fallback.padEnd(10)} ${range}`.trimEnd();
}
