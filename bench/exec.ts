/**
 * What a line costs that a program prints or reads, a program held open, and one that comes and
 * goes: as a ratio to websocketd, which is Go and does the same.
 */
import { LineSide, markedLine, type Memory, type Transport } from "./line-side.ts";
import { buildLoad } from "./load/build.ts";
import {
  buildProgram,
  findOrInstallWebsocketd,
  type LineServer,
  websocketdVersion,
} from "./peers/line-servers.ts";
import {
  type Effort,
  micros,
  RATIO_HEAD,
  ratioCells,
  ratioRange,
  section,
  table,
} from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";

interface Row {
  readonly name: string;
  readonly server: LineServer;
  readonly transport: Transport;
}

const SOCKETS: readonly Row[] = [
  { name: "websocketd", server: "websocketd", transport: "websocket" },
  { name: "the same again, as a control", server: "websocketd", transport: "websocket" },
  { name: "**our WebSocket**", server: "ours", transport: "websocket" },
];
const ALL: readonly Row[] = [
  ...SOCKETS,
  { name: "**our SSE**", server: "ours", transport: "sse" },
  { name: "**our NDJSON**", server: "ours", transport: "ndjson" },
];

/** One column: the program, and how its lines are counted. */
interface Load {
  readonly name: string;
  readonly command: readonly string[];
  readonly rows: readonly Row[];
  /** @returns the server's microseconds for each line */
  readonly measure: (side: LineSide, row: Row, ms: number) => Promise<number>;
}

const PROGRAMS = 50;
const PER_SECOND = 100; // lines, of each
// Its own cost is the same for all sides; `$|` lets it write each line by itself.
const PACED = `$| = 1; for (;;) { print "${markedLine(100)}\n"; select undef, undef, undef, 1 / ${PER_SECOND} }`;

const FLOODS: readonly Load[] = [20, 200, 2_000].map((bytes) => ({
  name: `${bytes.toLocaleString("en")} bytes`,
  command: ["yes", markedLine(bytes)],
  rows: ALL,
  measure: (side, { transport }, ms) => side.read(transport, 1, ms),
}));
const STREAMS: readonly Load[] = [
  {
    name: `${PROGRAMS} programs, ${PER_SECOND} lines a second each`,
    command: ["perl", "-e", PACED],
    rows: ALL,
    measure: (side, { transport }, ms) => side.read(transport, PROGRAMS, ms),
  },
];
const INPUTS: readonly Load[] = [
  {
    name: "to `cat >/dev/null`, 100 bytes",
    command: ["sh", "-c", "cat >/dev/null; true"], // the shell keeps stdout open
    rows: SOCKETS,
    measure: (side, _row, ms) => side.write(100, ms, { echo: false }),
  },
  {
    name: "to `cat` and back",
    command: ["cat"],
    rows: SOCKETS,
    measure: (side, _row, ms) => side.write(100, ms, { echo: true }),
  },
  {
    name: `the same, ${PROGRAMS} clients, line by line`,
    command: ["cat"],
    rows: SOCKETS,
    measure: (side, _row, ms) => side.takeTurns(100, PROGRAMS, ms),
  },
];

export async function exec(effort: Effort): Promise<void> {
  const missing = await findOrInstallWebsocketd();
  if (missing !== undefined) return section("exec", `Left out. ${missing}`);
  await buildLoad();
  buildProgram();
  const quick = effort.divisor > 1;
  const rounds = quick ? 2 : 5;
  const ms = quick ? 400 : effort.sliceMs;
  section(
    "exec",
    `CPU of the server for each line, as a ratio to ${websocketdVersion()}; of the server's own ` +
      "process, all its threads, without the programs it runs. Target: at most 1. A line is of " +
      "100 bytes where nothing else is said; what is read or written at once is up to each server.",
  );
  const floods = quick ? FLOODS.slice(1, 2) : FLOODS; // 200 bytes
  await lines("one program that prints as fast as it goes", floods, rounds, ms);
  if (quick) return; // what follows takes hundreds of programs
  await lines("each line written by itself", STREAMS, rounds, ms);
  await lines("input", INPUTS, rounds, ms);
  await memory(rounds);
  await visits(rounds, 200);
}

async function lines(
  name: string,
  loads: readonly Load[],
  rounds: number,
  ms: number,
): Promise<void> {
  const rows = loads[0]!.rows;
  const costs: Map<Row, { of: number[]; busy: number }>[] = [];
  for (const { command, measure } of loads) {
    costs.push(
      await withSides(rows, command, async (sides) => {
        for (const row of rows) await measure(sides.get(row)!, row, ms); // compiles what is hot
        for (const side of sides.values()) side.loadBusy.length = 0;
        const results = await interleave(rows, rounds, (row) => measure(sides.get(row)!, row, ms));
        return new Map(
          rows.map((row) => {
            const { loadBusy } = sides.get(row)!;
            const busy = loadBusy.length === 0 ? Number.NaN : median(loadBusy);
            return [row, { of: results.get(row)!, busy }];
          }),
        );
      }),
    );
  }
  const columns = loads.map((load) => load.name);
  const cells = (cell: (of: Map<Row, { of: number[]; busy: number }>, row: Row) => string) =>
    rows.map((row) => [row.name, ...costs.map((cost) => cell(cost, row))]);
  table(
    [name, ...columns],
    cells((cost, row) => ratioRange(ratios(cost.get(row)!.of, cost.get(rows[0]!)!.of))),
  );
  table(
    ["µs CPU per line; load busy", ...columns],
    cells((cost, row) => {
      const { of, busy } = cost.get(row)!;
      return Number.isNaN(busy) ? micros(of) : `${micros(of)}; ${(100 * busy).toFixed(0)} %`;
    }),
  );
}

const MORE = 150;

async function memory(rounds: number): Promise<void> {
  const details = new Map<Row, Memory[]>(SOCKETS.map((row) => [row, []]));
  const growth = await interleave(SOCKETS, Math.min(rounds, 5), (row) =>
    // A fresh process in every round.
    withSides([row], ["cat"], async (sides) => {
      const held = await sides.get(row)!.hold(PROGRAMS, PROGRAMS + MORE);
      details.get(row)!.push(held);
      return (held.many - held.few) / MORE;
    }),
  );
  const middle = (row: Row, of: (held: Memory) => number) => median(details.get(row)!.map(of));
  table(
    [
      `${MORE} idle programs more than ${PROGRAMS}, growth of the server's RSS`,
      ...RATIO_HEAD,
      "KiB each",
      `of the first ${PROGRAMS}`,
      "server without any, MiB",
      "a program, RSS",
      "PSS",
    ],
    SOCKETS.map((row) => [
      row.name,
      ...ratioCells(ratios(growth.get(row)!, growth.get(SOCKETS[0]!)!)),
      kibibytes(median(growth.get(row)!)),
      kibibytes(middle(row, ({ few, before }) => (few - before) / PROGRAMS)),
      (middle(row, ({ before }) => before) / 2 ** 20).toFixed(1),
      kibibytes(middle(row, ({ programRss }) => programRss)),
      kibibytes(middle(row, ({ programPss }) => programPss)),
    ]),
  );
}

const LANES = 4;

async function visits(rounds: number, count: number): Promise<void> {
  const programs = new Map<Row, number[]>(SOCKETS.map((row) => [row, []]));
  const costs = await withSides(SOCKETS, ["true"], async (sides) => {
    for (const side of sides.values()) await side.visit(count, LANES); // compiles what is hot
    return interleave(SOCKETS, rounds, async (row) => {
      const { server, program } = await sides.get(row)!.visit(count, LANES);
      programs.get(row)!.push(program);
      return server;
    });
  });
  table(
    [
      "connecting, `true` starts and ends, closing",
      ...RATIO_HEAD,
      "µs CPU each",
      "a second of CPU",
      "the program's own µs",
    ],
    SOCKETS.map((row) => [
      row.name,
      ...ratioCells(ratios(costs.get(row)!, costs.get(SOCKETS[0]!)!)),
      micros(costs.get(row)!),
      (1e6 / median(costs.get(row)!)).toFixed(0),
      micros(programs.get(row)!),
    ]),
  );
}

/** A server for each row, all running the same command. */
async function withSides<T>(
  rows: readonly Row[],
  command: readonly string[],
  use: (sides: Map<Row, LineSide>) => Promise<T>,
): Promise<T> {
  const sides = new Map(rows.map((row) => [row, new LineSide(row.server)]));
  try {
    for (const side of sides.values()) await side.start(command);
    return await use(sides);
  } finally {
    for (const side of sides.values()) await side.close();
  }
}

function kibibytes(bytes: number): string {
  return (bytes / 1024).toFixed(1);
}
