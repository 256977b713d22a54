/**
 * `exec -- COMMAND`: any program as a live stream, one process for each connection, or with
 * `--shared` one for everybody, whose lines are a topic.
 */
import { basename } from "node:path";
import { shown, UsageError } from "../command-line.ts";
import { readSettings, settingFlags, settingRows } from "../config.ts";
import { originList, topicName, variableNames, wholeNumber } from "../config-rules.ts";
import { flagValue, flagValues, readFlags } from "./command-flags.ts";
import { starter } from "./exec/command.ts";
import { findProgram } from "./exec/find-program.ts";
import { serveEach } from "./exec/each.ts";
import { serveShared } from "./exec/shared.ts";
import { splitCommand } from "./exec/split-command.ts";
import { version } from "./serving.ts";

export const USAGE = `Usage: capnweb-push exec [flags] -- COMMAND [ARGUMENT…]
Run \`capnweb-push exec --help\` for all flags.`;

const SETTINGS = ["port", "host", "heartbeatMs", "historyEvents", "allowOrigins"] as const;
const VALUES = [
  ...settingFlags(SETTINGS),
  "topic",
  "max-processes",
  "max-processes-per-address",
  "pass-env",
  "origin",
];
const SWITCHES = ["binary", "shared", "same-origin"];
const PROCESSES = wholeNumber("a whole number of processes", 1, 100_000);
const OF_EACH = ["max-processes", "max-processes-per-address"];
const OF_SHARED = ["topic", "history"];
const OF_WEBSOCKETD: ReadonlyMap<string, string> = new Map([
  ["address", "host"],
  ["maxforks", "max-processes"],
  ["passenv", "pass-env"],
  ["sameorigin", "same-origin"],
]);
const MAX_PROCESSES = 64; // each with its memory, and its part of the processors

const HELP = `Runs COMMAND once for each connection and streams what it prints, line by line: over
WebSocket (a text frame is a line of its input), Server-Sent Events, NDJSON, plain text
and Cap'n Web. A program does not need to know any of them. No shell is involved, and
nothing that comes from the network becomes a part of the command.

Usage: capnweb-push exec [flags] -- COMMAND [ARGUMENT…]

  --shared             One process for everybody, its lines a topic with a history; when
                       it ends it is started again.
  --topic NAME         The topic of --shared. Default: the name of the program.
  --binary             Bytes as they come instead of lines.
  --max-processes N    At once; over it clients get a 429. Default 64.
  --max-processes-per-address N
                       Of one client's address. Default: as many as in all. Behind a
                       proxy all clients have its address.
  --pass-env NAME      A variable the program gets besides PATH and those of CGI
                       (RFC 3875). Repeatable, or with commas between.
  --same-origin        Keeps the pages of foreign origins out. It is the default.
  --origin ORIGIN      Lets in the pages of this origin, https://example.com, or of this
                       host, example.com:8080. Repeatable, or with commas between.
  -h, --help           Show this text.

${settingRows(SETTINGS)}

When the client leaves, the program's input ends; then its whole process group gets
SIGINT after 100 ms, SIGTERM after 250 more and SIGKILL after 500 more. On Windows there
are no groups and no signals: the process itself is ended, what it started runs on.

Ends with 0 on SIGINT and SIGTERM when no process is left, with 1 when it cannot listen
or the command is not there, with 2 for a wrong flag.

Examples:
  capnweb-push exec -- ping -n localhost
  capnweb-push exec --shared -- vmstat 1`;

/** @param argv begins with `exec`. @throws {UsageError} */
export async function execCommand([, ...argv]: readonly string[]): Promise<void> {
  const { own, words } = splitCommand(argv, VALUES);
  for (const text of own) {
    const ours = OF_WEBSOCKETD.get(text.replace(/^--?|=.*$/gs, ""));
    if (ours !== undefined)
      throw new UsageError(`websocketd's ${shown(text)} is \`--${ours}\` here`);
  }
  const flags = readFlags(own, { values: VALUES, switches: SWITCHES });
  if (flags === "help") return console.log(HELP);
  if (flags === "version") return console.log(version());
  const [command, ...args] = words;
  if (command === undefined) throw new UsageError("Expected `--` and a command after the flags");
  const shared = flags.switches.has("shared");
  const binary = flags.switches.has("binary");
  if (own.some((text) => /^--?same-origin=false$/.test(text))) {
    throw new UsageError(
      "Expected origins to let in, each by `--origin`: there is no way to let in all",
    );
  }
  if (shared && binary) throw new UsageError("Expected `--shared` or `--binary`, got both");
  const stray = (shared ? OF_EACH : OF_SHARED).find((name) => flags.flags.has(name));
  if (stray !== undefined) {
    throw new UsageError(`Expected no \`--${stray}\` ${shared ? "with" : "without"} \`--shared\``);
  }
  const settings = readSettings(SETTINGS, { flags: flags.flags, env: process.env });
  const allowOrigins = [
    ...settings.allowOrigins,
    ...flagValues(flags, "origin", originList()).flat(),
  ];
  const maxProcesses = flagValue(flags, "max-processes", PROCESSES) ?? MAX_PROCESSES;
  const maxProcessesPerAddress = flagValue(flags, "max-processes-per-address", PROCESSES);
  const topic = flagValue(flags, "topic", topicName()) ?? topicOf(command);
  const passed = flagValues(flags, "pass-env", variableNames()).flat();
  if (!(await findProgram(command))) {
    console.error(`Cannot run ${command}: it was not found, or it may not be run`);
    process.exit(1);
  }
  const start = starter(command, args, passed);
  if (shared) return serveShared(start, { ...settings, allowOrigins, topic });
  const limits = { maxProcesses, maxProcessesPerAddress };
  return serveEach(start, { ...settings, ...limits, allowOrigins, binary });
}

/** The name of the program, as far as a topic can be called so. */
function topicOf(command: string): string {
  const name = basename(command)
    .replace(/[^A-Za-z0-9._~-]/g, "_")
    .replace(/^[^A-Za-z0-9_]+/, "");
  return name.slice(0, 128) || "program";
}
