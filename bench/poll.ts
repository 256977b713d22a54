/** What one poll costs in process, and what a polling subscription takes in memory. */
import { Child } from "./child.ts";
import type { HubQuestion } from "./processes/hub.ts";
import { type Effort, micros, RATIO_HEAD, ratioCells, section, table } from "./report.ts";
import { interleave, ratios } from "./rounds.ts";

const SUBSCRIPTIONS = [1_000, 100_000] as const;
const COUNT = 500_000;

export async function poll({ rounds, divisor }: Effort): Promise<void> {
  section(
    "Polling, in process",
    "CPU per `hub.poll`, each subscription in its turn, as a ratio to 1,000 subscriptions.",
  );
  const hubs = SUBSCRIPTIONS.map((subscriptions) => ({
    subscriptions,
    name: `${subscriptions.toLocaleString("en")} subscriptions`,
    child: new Child("hub", [String(subscriptions)]),
  }));
  const ask = ({ child }: (typeof hubs)[number], question: HubQuestion) =>
    child.ask<number>(question);
  try {
    const memory = await Promise.all(hubs.map((hub) => ask(hub, { kind: "memory" })));
    for (const what of ["new event", "nothing new"] as const) {
      const question = { kind: "poll", what, count: COUNT / divisor } as const;
      for (const hub of hubs) await ask(hub, question); // compiles what is hot
      const results = await interleave(hubs, rounds, (hub) => ask(hub, question));
      const few = results.get(hubs[0]!)!;
      table(
        [what, ...RATIO_HEAD, "µs CPU"],
        hubs.map((hub) => {
          const costs = results.get(hub)!;
          return [hub.name, ...ratioCells(ratios(costs, few)), micros(costs)];
        }),
      );
    }
    table(
      ["heap per polling subscription", "bytes"],
      hubs.map((hub, index) => [hub.name, memory[index]!.toFixed(0)]),
    );
  } finally {
    for (const { child } of hubs) child.close();
  }
}
