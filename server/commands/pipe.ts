/** `COMMAND | pipe TOPIC`: each line of stdin is an event, on a server of its own or a running one. */
import { shown, UsageError } from "../command-line.ts";
import { readSettings, settingFlags, type SettingName, settingRows } from "../config.ts";
import { topicName } from "../config-rules.ts";
import { readFlags } from "./command-flags.ts";
import { readLines } from "./pipe/input.ts";
import { sendLines } from "./pipe/send-lines.ts";
import { serveLines } from "./pipe/serve-lines.ts";
import { version } from "./serving.ts";

export const USAGE = `Usage: COMMAND | capnweb-push pipe TOPIC [flags]
Run \`capnweb-push pipe --help\` for all flags.`;

const OF_A_SERVER = [
  "port",
  "host",
  "heartbeatMs",
  "historyEvents",
  "allowOrigins",
] as const satisfies readonly SettingName[];

const HELP = `Publishes each line of stdin as one event of a topic: text, or with --json the value
that the line is. Starts a server for it, with a page that shows the lines, and serves
their history when stdin has ended; or publishes to a server that runs.

Usage: COMMAND | capnweb-push pipe TOPIC [flags]
       COMMAND | capnweb-push pipe TOPIC --url URL --publish-token TOKEN

  --json             Each line is JSON. Blank lines are left out.
  --url URL          Publish to this server, such as http://localhost:8000.
${settingRows([...OF_A_SERVER, "publishToken"])}
  -h, --help         Show this text.

A line that cannot be published (no JSON; more than 64 KiB of it) is told on stderr with
its number and left out; then the program ends with 1.

With --url no line is lost and none comes twice, in order, through cuts and restarts: a
request is repeated until it is answered, each line with a key by which the server knows
a repeat. It remembers 10,000 keys for 10 minutes: after a longer outage the lines that
were under way when it began, at most 500, may come twice. Up to 1,000 lines wait, then
the pipe does. (A server that keeps its topics in memory loses them when it is started
again, whoever published them.) Ends with 0 when all is delivered; on SIGINT and SIGTERM
it delivers what it has read, for 8 s at most, and ends with 1 when that was not enough.

Examples:
  vmstat -n 1 | capnweb-push pipe vmstat --port 9000
  tail -f access.log | capnweb-push pipe log --url http://localhost:8000 # PUBLISH_TOKEN=…`;

/** @throws {UsageError} */
export async function pipeCommand([, ...argv]: readonly string[]): Promise<void> {
  const flags = readFlags(argv, {
    values: [...settingFlags([...OF_A_SERVER, "publishToken"]), "url"],
    switches: ["json"],
  });
  if (flags === "help") return console.log(HELP);
  if (flags === "version") return console.log(version());
  const topic = topicOf(flags.positionals);
  const given = { flags: flags.flags, env: process.env };
  const { publishToken } = readSettings(["publishToken"], given);
  const refuse = (number: number, why: string) => {
    console.error(`line ${number} is left out: ${why}`);
    process.exitCode = 1;
  };
  const json = flags.switches.has("json");
  async function* read(stop: AbortSignal) {
    try {
      yield* readLines(process.stdin, { json, stop, refuse });
    } catch (error) {
      console.error(`Cannot read stdin: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
  const url = flags.flags.get("url")?.at(-1);
  if (url === undefined) {
    const config = { ...readSettings(OF_A_SERVER, given), publishToken };
    return serveLines({ topic, config, read, refuse });
  }
  const stray = settingFlags(OF_A_SERVER).find((flag) => flags.flags.has(flag));
  if (stray !== undefined) {
    throw new UsageError(`Expected \`--${stray}\` or \`--url\`, got both`);
  }
  if (publishToken === undefined) {
    throw new UsageError("Expected `--publish-token` or PUBLISH_TOKEN with `--url`");
  }
  await sendLines({ url: serverUrl(url), topic, token: publishToken, read, refuse });
}

function topicOf(positionals: readonly string[]): string {
  const [topic, ...more] = positionals;
  if (topic === undefined || more.length > 0) {
    throw new UsageError(`Expected one topic, got ${positionals.length}`);
  }
  const { parse, expected } = topicName();
  if (parse(topic) !== undefined) return topic;
  throw new UsageError(`Expected ${expected}, got ${shown(topic)}`);
}

function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // `fetch` refuses a URL with a password in it.
  const plain = url && !url.username && !url.password && !url.search && !url.hash;
  if (plain && /^https?:$/.test(url.protocol)) return url;
  throw new UsageError(`Expected \`--url\` to be like http://localhost:8000, got ${shown(text)}`);
}
