/** The three latest values, each as a number and a bar, with the average and peak of five minutes. */
import type { SystemMetrics } from "../../server/contract.ts";
import { elementById } from "../shared/element.ts";
import { niceCeiling } from "./nice-ceiling.ts";
import type { SampleWindow, Summary } from "./sample-window.ts";

export function showGauges(sample: SystemMetrics, samples: SampleWindow): void {
  const cpu = samples.summary("cpuUsage");
  const memory = samples.summary("memoryUsage");
  const network = samples.summary("networkIO");
  const top = niceCeiling(network.peak); // bandwidth has no natural end
  showGauge("cpu", { value: sample.cpuUsage, top: 100, unit: "%", summary: summarize(cpu) });
  showGauge("memory", {
    value: sample.memoryUsage,
    top: 100,
    unit: "%",
    summary: summarize(memory),
  });
  showGauge("network", {
    value: sample.networkIO,
    top,
    unit: "MB/s",
    summary: `${summarize(network)}, scale to ${top} MB/s`,
  });
}

interface Gauge {
  readonly value: number;
  readonly top: number;
  readonly unit: string;
  readonly summary: string;
}

function showGauge(id: string, { value, top, unit, summary }: Gauge): void {
  const gauge = elementById(id);
  const bar = gauge.querySelector("progress");
  const number = gauge.querySelector(".number");
  const note = gauge.querySelector(".summary");
  if (!bar || !number || !note) throw new Error(`#${id} is not a gauge`);
  number.textContent = value.toFixed(1);
  bar.max = top;
  bar.value = value;
  bar.ariaValueText = `${value.toFixed(1)} ${unit}`;
  note.textContent = summary;
}

function summarize({ average, peak }: Summary): string {
  return `5 min average ${average.toFixed(1)}, peak ${peak.toFixed(1)}`;
}
