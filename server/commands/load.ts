/** `load`: many subscribers from one process, which check what they get and measure it. */
import { UsageError } from "../command-line.ts";
import { oneOf, seconds } from "../config-rules.ts";
import { flagValue, readFlags } from "./command-flags.ts";
import { Output } from "./output.ts";
import { AFTER, parseUrl, TRANSPORT_NAMES } from "./reading.ts";
import { isUnnumbered, progressLine, totals } from "./load/report.ts";
import { type LoadRun, startLoad } from "./load/run.ts";

export const USAGE = `Usage: capnweb-push load --url URL [flags]
Run \`capnweb-push load --help\` for all flags.`;

const HELP = `Subscribes many times from one process, checks that every event comes once and in
order, and measures its delay. Prints the totals at the end: on SIGINT, after --duration,
or when no client can go on. Works with any stream of Server-Sent Events; order and delay
need the ids and times of a server of this kind.

Usage: capnweb-push load --url URL [flags]

  --url URL          http://localhost:8000/topics/system-metrics
  --clients N        How many subscribers. Default 1.
  --transport NAME   ${TRANSPORT_NAMES.slice(0, 4).join(", ")},
                     ${TRANSPORT_NAMES.slice(4).join(", ")}. Default sse.
  --after CURSOR     Begin after this cursor, at \`earliest\` or, the default, at \`latest\`.
  --duration SECONDS End after this time. Default: never.
  --debug            A line for whatever happens to each client.
  --stats            A line of statistics each second; on a terminal, always the same one.
  -h, --help         Show this text.

One dash will do as well: -url URL -clients 100 -stats.
Delays are those of events published while the client was connected, by the clocks of the
server and of this machine. Over sse one more connection, of NDJSON, tells the times.
Ends with 0 when all is well, with 1 when an event came twice, too late or not at all, or
when no client was ever connected, with 2 for a wrong flag.

Examples:
  capnweb-push load --url http://localhost:8000/topics/system-metrics --clients 10000 --stats
  capnweb-push load -url http://localhost:8000/dashboard/stream -clients 1 -debug`;

const VALUES = ["url", "clients", "transport", "after", "duration"];
const TRANSPORT = oneOf(...TRANSPORT_NAMES);
const DURATION = seconds(0.1, 1_000_000);
const STATS_MS = 1_000;

/** @throws {UsageError} */
export async function loadCommand([, ...argv]: readonly string[]): Promise<void> {
  const flags = readFlags(argv, { values: VALUES, switches: ["debug", "stats"] });
  if (flags === "help") return console.log(HELP);
  if (flags === "version") throw new UsageError("Unknown flag `--version`");
  const [url, ...more] = [...(flags.flags.get("url")?.slice(-1) ?? []), ...flags.positionals];
  if (url === undefined || more.length > 0) throw new UsageError("Expected one `--url URL`");
  const clients = clientCount(flags.flags.get("clients")?.at(-1) ?? "1");
  if (clients === undefined) {
    console.error("Number of clients must be at least 1");
    process.exit(2);
  }
  const address = parseUrl(url);
  const transport = flagValue(flags, "transport", TRANSPORT) ?? "sse";
  const after = flagValue(flags, "after", AFTER);
  const durationMs = flagValue(flags, "duration", DURATION);
  warnOfFileLimit(clients);

  const output = new Output();
  const startedAt = performance.now();
  const rssBytesBefore = process.memoryUsage.rss();
  const secondsSoFar = () => (performance.now() - startedAt) / 1_000;
  const run = startLoad({
    url: address,
    clients,
    transport,
    after,
    debug: flags.switches.has("debug") ? debugLines(output) : undefined,
    signal: endSignal(durationMs),
  });
  if (flags.switches.has("stats")) showStats(output, run, { clients, secondsSoFar });
  await run.done;
  const { tally, times } = run;
  const text = totals(tally, {
    clients,
    transport,
    url,
    seconds: secondsSoFar(),
    untold: times.failure,
    untimed: times.untimed,
    rssBytes: process.memoryUsage.rss(),
    rssBytesBefore,
  });
  await output.last(`${process.stdout.isTTY ? "\n" : ""}${text}`);
  process.exit(tally.violations > 0 || tally.everConnected === 0 ? 1 : 0);
}

function clientCount(text: string): number | undefined {
  return /^\d{1,7}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

/** Node itself raises the soft limit to the hard one when it starts. */
function warnOfFileLimit(clients: number): void {
  const report = process.report.getReport() as unknown as {
    userLimits?: { open_files?: { hard: number | string } };
  };
  const limit = Number(report.userLimits?.open_files?.hard); // NaN for "unlimited"
  if (limit < clients + RESERVED_FILES) {
    console.error(
      `This process may open ${limit} files, too few for ${clients} clients: raise it with \`ulimit -Hn\``,
    );
  }
}

const RESERVED_FILES = 64;

/** What is not taken is not kept: a slow terminal must not fill the memory. */
function debugLines(output: Output): (client: number, what: string) => void {
  let skipped = 0;
  return (client, what) => {
    if (output.waiting > MAX_WAITING_BYTES) {
      skipped += 1;
      return;
    }
    if (skipped > 0) void output.write(`(${skipped} lines were too many to show)\n`);
    skipped = 0;
    const text = what.length > MAX_LINE_CHARS ? `${what.slice(0, MAX_LINE_CHARS)}…` : what;
    void output.write(`client ${client}: ${text}\n`);
  };
}

const MAX_WAITING_BYTES = 1024 * 1024;
const MAX_LINE_CHARS = 500;

function showStats(
  output: Output,
  { tally }: LoadRun,
  { clients, secondsSoFar }: { clients: number; secondsSoFar: () => number },
): void {
  let [messages, at] = [0, secondsSoFar()];
  let told = false;
  setInterval(() => {
    const now = secondsSoFar();
    const messagesPerSecond = (tally.messages - messages) / (now - at);
    [messages, at] = [tally.messages, now];
    const line = progressLine(tally, { clients, seconds: now, messagesPerSecond });
    const { isTTY, columns } = process.stdout;
    // A line that wraps could not be drawn over.
    void output.write(isTTY ? `\r\x1b[K${line.slice(0, columns - 1)}` : `${line}\n`);
    if (told || !isUnnumbered(tally)) return;
    told = true;
    console.error("These events are not numbered: order and delay cannot be checked");
  }, STATS_MS).unref();
}

/** Aborted when the user, or the time, ends it. A second signal ends the process at once. */
function endSignal(durationMs: number | undefined): AbortSignal {
  const stop = new AbortController();
  const end = () => stop.abort(new Error("it is over"));
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  if (durationMs !== undefined) setTimeout(end, durationMs);
  return stop.signal;
}
