/** The tally as text: one line while it goes on, the totals at the end. */
import type { Tally } from "./tally.ts";

export interface ReportContext {
  readonly clients: number;
  readonly transport: string;
  readonly url: string;
  readonly seconds: number;
  /** Why delays could not be measured. */
  readonly untold?: string | undefined;
  /** Arrivals whose delay could not be measured. */
  readonly untimed: number;
  readonly rssBytes: number;
  /** Before the first client. */
  readonly rssBytesBefore: number;
}

export function progressLine(
  tally: Tally,
  {
    clients,
    seconds,
    messagesPerSecond,
  }: { clients: number; seconds: number; messagesPerSecond: number },
): string {
  const parts = [
    `${seconds.toFixed(0)} s`,
    `${tally.connected}/${clients} connected`,
    `${tally.messages} messages (${messagesPerSecond.toFixed(0)}/s)`,
    `${tally.heartbeats} heartbeats`,
    `${tally.errors} errors`,
    `${tally.reconnects} reconnects`,
    `${tally.gaps} gaps`,
    `${tally.violations} violations`,
  ];
  if (tally.delays.total > 0) parts.push(delayText(tally));
  return parts.join(", ");
}

export function totals(tally: Tally, context: ReportContext): string {
  const { clients, transport, url, seconds, rssBytes, rssBytesBefore } = context;
  const perClient = (rssBytes - rssBytesBefore) / clients / 1024;
  const rows: [string, string | number][] = [
    ["clients", `${clients} over ${transport} from ${url}, ${seconds.toFixed(1)} s`],
    [
      "connected",
      `${tally.connected} now, ${tally.mostConnected} at most, ${clients - tally.everConnected} never`,
    ],
    ["messages", `${tally.messages} (${rate(tally.messages, seconds)}/s)`],
    ["bytes", tally.bytes],
    ["heartbeats", tally.heartbeats],
    ["reconnects", tally.reconnects],
    [
      "errors",
      `${tally.errors}${tally.endedForGood > 0 ? `, ${tally.endedForGood} clients gave up` : ""}`,
    ],
    ["gaps", `${tally.gaps}, ${tally.missed} events missed`],
    ...orderRows(tally),
    ["delay", delayRow(tally, context)],
    ["memory", `${mebibytes(rssBytes)} MiB, ${perClient.toFixed(1)} KiB per client`],
  ];
  const kinds = [...tally.kinds].map(([kind, count]): [string, string] => [
    "",
    `${count} × ${kind}`,
  ]);
  rows.splice(7, 0, ...kinds);
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}\n`).join("");
}

/** Whether a stream's events are numbered is seen from the first one on. */
export function isUnnumbered({ messages, unnumbered }: Tally): boolean {
  return messages > 0 && unnumbered === messages;
}

function orderRows(tally: Tally): [string, string | number][] {
  if (isUnnumbered(tally)) {
    return [["order", "unknown: these events are not numbered, so nothing can be checked"]];
  }
  return [
    ["duplicates", tally.duplicates],
    ["out of order", tally.outOfOrder],
    ["lost", `${tally.lost} without a gap`],
    ["misplaced", `${tally.misplaced} gaps or cursors that do not fit`],
    ...(tally.unnumbered > 0
      ? [["unnumbered", `${tally.unnumbered}, not checked`] as [string, string]]
      : []),
    ...tally.examples.map((example): [string, string] => ["", example]),
  ];
}

function delayRow(tally: Tally, { untold, untimed }: ReportContext): string {
  if (isUnnumbered(tally)) return "unknown: these events do not say when they were published";
  if (tally.delays.total > 0) {
    return delayText(tally) + (untimed > 0 ? `, ${untimed} not measured` : "");
  }
  return untold === undefined ? "none measured" : `unknown: ${untold}`;
}

function delayText({ delays }: Tally): string {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => delays.percentile(share));
  return `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, max ${delays.max} ms`;
}

function rate(count: number, seconds: number): string {
  return (count / Math.max(seconds, 0.001)).toFixed(1);
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
