/**
 * Thousands of clients that resume at once: how long until the last of them is live, against what
 * their bytes take by themselves, and what those notice that were there before.
 */
import { buildLoad } from "./load/build.ts";
import { raiseFileLimit } from "./load/file-limit.ts";
import { getStream } from "./load/joining.ts";
import { type Delays, LoadClient, type OpenOptions } from "./load/load-client.ts";
import { TOPIC } from "./peers/product.ts";
import { type Effort, RATIO_HEAD, ratioCells, section, table } from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";
import { WatchedServer } from "./watched.ts";
import { EVENT_STREAM } from "../server/wire/event-stream.ts";

const BACK = 1_000; // events
const HISTORY = 1_024; // events, the product's default
const PLACES = 25; // the sets that the load client may hold are 32
const OTHERS = 100;
const PER_SECOND = 4; // events while they join: to 5,000 the 20,000 deliveries a second of "steady"
const LONGEST_MS = 60_000;
const SPARE_FILES = 300;
const SLACK_BYTES = 100; // what was waited for before they are counted
// Until its answer begins. More than the server's backlog (511 in Node) would be turned away, and
// the kernel's second attempt comes after a whole second: another question than this one.
const CONNECTING = 500;

/** Where the joining ones begin: how many events back, each of the groups. */
const ROWS = [
  { name: "the bytes alone, bare net", backs: undefined },
  { name: "**our SSE**, all from the same place", backs: [BACK] },
  {
    name: `**our SSE**, from ${PLACES} places`,
    backs: Array.from({ length: PLACES }, (_, index) => BACK - index),
  },
] as const;
type Row = (typeof ROWS)[number];

interface Joined {
  readonly ms: number;
  readonly bytes: number;
  readonly others: Delays;
}

export async function joining({ divisor }: Effort): Promise<void> {
  await buildLoad();
  const quick = divisor > 1;
  const wanted = quick ? 500 : 5_000;
  const clients = Math.min(wanted, raiseFileLimit(wanted + SPARE_FILES) - SPARE_FILES);
  section(
    "Joining",
    `${clients.toLocaleString("en")} clients come at once and begin ${BACK} events back: until ` +
      "the last has had them, as a ratio to a bare net server that writes as many ready-made " +
      `bytes to each. Meanwhile ${PER_SECOND} events a second are published; their delay for ` +
      `${OTHERS} clients that were there before. Target: at most 2, and no other delay.`,
  );
  const server = new WatchedServer("sse");
  const others = new LoadClient();
  const load = new LoadClient();
  let bare: WatchedServer | undefined;
  try {
    const { port, joining: live } = await server.start();
    await server.publish(HISTORY);
    await others.open("ours", { port, connections: OTHERS, ...live });
    const ours = (row: Row, { quiet = false } = {}) => {
      const backs = row.backs!;
      const groups = backs.map((back) => ({
        ...getStream(`/topics/${TOPIC}?last=${back}`, EVENT_STREAM),
        port,
        connections: clients / backs.length,
      }));
      return join(quiet ? undefined : server, groups, { events: BACK - PLACES }, "ours");
    };
    // Compiles what is hot, and tells how many bytes it takes: events meanwhile would be more.
    const first = await ours(ROWS[1], { quiet: true });
    const bytes = Math.round(first.bytes / clients);
    bare = new WatchedServer("bytes", { bytes });
    const { port: barePort, joining: bareLive } = await bare.start();
    await others.open("bare", { port: barePort, connections: OTHERS, ...bareLive });
    const alone = () =>
      join(
        bare,
        [{ steps: [["all", "----"]], port: barePort, connections: clients }],
        { bytes: bytes - SLACK_BYTES },
        "bare",
      );
    await alone();
    const details = new Map<Row, Joined[]>(ROWS.map((row) => [row, []]));
    const times = await interleave(ROWS, quick ? 2 : 5, async (row) => {
      const joined = row.backs ? await ours(row) : await alone();
      details.get(row)!.push(joined);
      return joined.ms;
    });
    const quiet = {
      ours: await undisturbed(server, "ours"),
      bare: await undisturbed(bare, "bare"),
    };
    table(
      [
        "joining",
        ...RATIO_HEAD,
        "ms",
        "MB",
        "others' p50",
        "others' p99",
        "quiet p50",
        "quiet p99",
      ],
      ROWS.map((row) => {
        const rounds = details.get(row)!;
        const calm = row.backs ? quiet.ours : quiet.bare;
        const middle = (of: (joined: Joined) => number) => median(rounds.map(of));
        return [
          row.name,
          ...ratioCells(ratios(times.get(row)!, times.get(ROWS[0])!)),
          middle(({ ms }) => ms).toFixed(0),
          (middle((joined) => joined.bytes) / 1e6).toFixed(0),
          middle((joined) => joined.others.p50).toFixed(2),
          middle((joined) => joined.others.p99).toFixed(2),
          calm.p50.toFixed(2),
          calm.p99.toFixed(2),
        ];
      }),
    );
  } finally {
    server.close();
    bare?.close();
    others.close();
    load.close();
  }

  /** All groups at once. @param at what publishes meanwhile */
  async function join(
    at: WatchedServer | undefined,
    groups: readonly OpenOptions[],
    until: { events: number } | { bytes: number },
    set: string,
  ): Promise<Joined> {
    const stop = new AbortController();
    const published = at && keepPublishing(at, stop.signal);
    await others.zero(set);
    const joined = await Promise.all(
      groups.map(async (group, index) => {
        const opened = load.open(`group-${index}`, {
          ...group,
          parallel: CONNECTING / groups.length,
        });
        const [stats] = await Promise.all([
          load.wait(`group-${index}`, until, { timeoutMs: LONGEST_MS }),
          opened,
        ]);
        return stats;
      }),
    );
    const { delay } = await others.stats(set);
    stop.abort();
    await published;
    for (const index of groups.keys()) await load.closeSet(`group-${index}`);
    return {
      ms: Math.max(...joined.map(({ ms }) => ms)),
      bytes: joined.reduce((sum, stats) => sum + stats.bytes, 0),
      others: delay,
    };
  }

  async function undisturbed(at: WatchedServer, set: string): Promise<Delays> {
    await at.steady(PER_SECOND, PER_SECOND); // until the thousands that have left are forgotten
    await others.zero(set);
    await at.steady(quick ? 8 : 40, PER_SECOND);
    return (await others.stats(set)).delay;
  }
}

async function keepPublishing(server: WatchedServer, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await server.steady(1, PER_SECOND);
}
