/** What one publish costs, with no polling subscription and with very many. */
import { Child } from "./child.ts";
import type { HubQuestion } from "./processes/hub.ts";
import { type Effort, micros, RATIO_HEAD, ratioCells, section, table } from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";

const SUBSCRIPTIONS = [0, 1_000, 100_000] as const;
const COUNT = 300_000;

export async function publish({ rounds, divisor }: Effort): Promise<void> {
  section(
    "Publishing, in process",
    "CPU per publish, as a ratio to a hub without subscriptions. Target: the same, and 300,000 " +
      "events per second of CPU.",
  );
  const hubs = SUBSCRIPTIONS.map((subscriptions) => ({
    subscriptions,
    child: new Child("hub", [String(subscriptions)]),
  }));
  try {
    for (const [what, title] of [
      ["sample", "a metrics sample"],
      ["200 bytes", "an event of 200 bytes"],
    ] as const) {
      const ask = ({ child }: (typeof hubs)[number]) =>
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
            `${hub.subscriptions.toLocaleString("en")} subscriptions`,
            ...ratioCells(ratios(costs, none)),
            micros(costs),
            rate.toLocaleString("en"),
          ];
        }),
      );
    }
  } finally {
    for (const { child } of hubs) child.close();
  }
}
