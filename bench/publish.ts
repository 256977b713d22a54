/** What one publish costs, with no polling subscription and with very many. */
import { Child } from "./child.ts";
import type { Held, HubQuestion } from "./processes/hub.ts";
import { type Effort, micros, RATIO_HEAD, ratioCells, section, table } from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";

const SUBSCRIPTIONS = [0, 1_000, 100_000] as const;
const COUNT = 300_000;

interface MeasuredHub {
  readonly subscriptions: number;
  readonly child: Child;
}

export async function publish({ rounds, divisor }: Effort): Promise<void> {
  section(
    "Publishing, in process",
    "CPU per publish, as a ratio to a hub without subscriptions. Target: the same, and 300,000 " +
      "events per second of CPU. And what the process holds more when as many have been published " +
      "again as in all the rounds before: nothing.",
  );
  const hubs: readonly MeasuredHub[] = SUBSCRIPTIONS.map((subscriptions) => ({
    subscriptions,
    child: new Child("hub", [String(subscriptions)]),
  }));
  try {
    for (const [what, title] of [
      ["sample", "a metrics sample"],
      ["200 bytes", "an event of 200 bytes"],
    ] as const) {
      const ask = ({ child }: MeasuredHub) =>
        child.ask<number>({ kind: "publish", what, count: COUNT / divisor } satisfies HubQuestion);
      for (const hub of hubs) await ask(hub); // compiles what is hot
      const results = await interleave(hubs, rounds, ask);
      const none = results.get(hubs[0]!)!;
      table(
        [title, ...RATIO_HEAD, "µs CPU", "events/s of CPU"],
        hubs.map((hub) => {
          const costs = results.get(hub)!;
          const rate = Math.round(1_000 / median(costs)) * 1_000;
          return [
            nameOf(hub),
            ...ratioCells(ratios(costs, none)),
            micros(costs),
            rate.toLocaleString("en"),
          ];
        }),
      );
    }
    await growth(hubs, (COUNT / divisor) * rounds);
  } finally {
    for (const { child } of hubs) child.close();
  }
}

/** The history is full by now, so what is published must cost no memory any more. */
async function growth(hubs: readonly MeasuredHub[], count: number): Promise<void> {
  const rows: string[][] = [];
  for (const hub of hubs) {
    const held = () => hub.child.ask<Held>({ kind: "held" } satisfies HubQuestion);
    const before = await held();
    const what = "200 bytes";
    await hub.child.ask({ kind: "publish", what, count } satisfies HubQuestion);
    const after = await held();
    const mebibytes = (of: keyof Held) => ((after[of] - before[of]) / 2 ** 20).toFixed(1);
    rows.push([nameOf(hub), mebibytes("heap"), mebibytes("rss")]);
  }
  table([`after ${count.toLocaleString("en")} more publishes`, "heap, MiB", "RSS, MiB"], rows);
}

function nameOf({ subscriptions }: MeasuredHub): string {
  return `${subscriptions.toLocaleString("en")} subscriptions`;
}
