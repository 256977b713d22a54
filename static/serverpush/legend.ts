/** The chart's legend: the values under the pointer, or else the newest. */
import { elementById } from "../shared/element.ts";
import type { SampleWindow } from "./sample-window.ts";
import { timeOfDay } from "../shared/time-format.ts";

/** `row`: which row of `samples`; undefined for the newest. */
export function showLegend(samples: SampleWindow, row: number | undefined): void {
  const at = row ?? samples.times.length - 1;
  const time = row === undefined ? undefined : samples.times[row];
  elementById("legend-time").textContent = time === undefined ? "" : timeOfDay(time);
  showValue("legend-cpu", samples.cpuUsage[at]);
  showValue("legend-memory", samples.memoryUsage[at]);
  showValue("legend-network", samples.networkIO[at]);
}

function showValue(id: string, value: number | null | undefined): void {
  const place = elementById(id).querySelector("b");
  if (place) place.textContent = value?.toFixed(1) ?? "–";
}
