/**
 * The chart of the last five minutes. It scrolls with the server's time, one interval behind, so
 * that a line enters from the right edge instead of appearing with a jump at each sample.
 */
import uPlot from "uplot";
import { niceCeiling } from "./nice-ceiling.ts";
import { type SampleWindow, WINDOW_MS } from "./sample-window.ts";
import { coloursOf } from "../shared/colours.ts";
import { hourAndMinute } from "../shared/time-format.ts";

export interface ChartOptions {
  /** The server's time now, in milliseconds; undefined as long as nothing has arrived. */
  now: () => number | undefined;
  /** The row under the pointer has changed; undefined when the pointer has left. */
  onRow: (row: number | undefined) => void;
}

const COLOURS = ["cpu", "memory", "network", "network-area", "line", "quiet"] as const;
const MINUTES = [1, 2, 5].map((minutes) => minutes * 60_000);

export class Chart {
  readonly #host: HTMLElement;
  readonly #samples: SampleWindow;
  readonly #options: ChartOptions;
  readonly #plot: uPlot;
  readonly #still = matchMedia("(prefers-reduced-motion: reduce)");
  #colours: Readonly<Record<(typeof COLOURS)[number], string>>;
  #intervalMs = 1_000;
  #stale = false;
  #end = 0;
  #frame: number | undefined;

  /** Draws `samples` into `host`, whose size it follows, and in its colours. */
  constructor(host: HTMLElement, samples: SampleWindow, options: ChartOptions) {
    this.#host = host;
    this.#samples = samples;
    this.#options = options;
    this.#colours = coloursOf(host, COLOURS);
    this.#plot = new uPlot(this.#plotOptions(), [[], [], [], []], host);
    new ResizeObserver(() => this.#plot.setSize(sizeOf(host))).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#colours = coloursOf(host, COLOURS);
      this.#plot.redraw(false);
    });
  }

  /** `samples` has changed. Drawn with the next frame, so never while nobody can see it. */
  update(intervalMs: number): void {
    this.#intervalMs = intervalMs;
    this.#stale = true;
  }

  /** Moves with time from now on. */
  start(): void {
    this.#frame ??= requestAnimationFrame(this.#scroll);
  }

  /** Stands still from now on. */
  stop(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    if (this.#stale) this.#draw(this.#now());
  }

  readonly #scroll = (): void => {
    this.#frame = requestAnimationFrame(this.#scroll);
    const end = this.#now();
    // Half a pixel is the smallest step anyone can see: a few drawings a second instead of sixty.
    const moved = Math.abs(end - this.#end) >= WINDOW_MS / this.#plot.bbox.width / 2;
    if (this.#stale || moved) this.#draw(end);
  };

  /** uPlot gathers these three and draws once. */
  #draw(end: number): void {
    if (this.#stale) {
      const { times, networkIO, cpuUsage, memoryUsage } = this.#samples;
      this.#plot.setData([times, networkIO, cpuUsage, memoryUsage], false);
      const { peak } = this.#samples.summary("networkIO");
      this.#plot.setScale("network", { min: 0, max: niceCeiling(peak) });
    }
    this.#plot.setScale("x", { min: end - WINDOW_MS, max: end });
    this.#stale = false;
    this.#end = end;
  }

  #now(): number {
    const now = this.#still.matches ? undefined : this.#options.now();
    return now === undefined ? (this.#samples.end ?? 0) : now - this.#intervalMs;
  }

  #plotOptions(): uPlot.Options {
    const colour = (name: (typeof COLOURS)[number]) => () => this.#colours[name];
    const font = `12px ${getComputedStyle(this.#host).fontFamily}`;
    const axis = { font, stroke: colour("quiet"), ticks: { show: false } };
    const grid = { stroke: colour("line"), width: 1 };
    const line = { width: 1.75, points: { show: false } };
    return {
      ...sizeOf(this.#host),
      ms: 1,
      padding: [8, 0, 0, 0],
      pxAlign: 0, // whole pixels would make the slow scrolling shake
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { auto: false },
        percent: { auto: false, range: [0, 100] },
        network: { auto: false },
      },
      axes: [
        {
          ...axis,
          grid,
          size: 22,
          gap: 6,
          space: 40,
          incrs: MINUTES,
          splits: wholeMinutes,
          values: hoursAndMinutes,
        },
        { ...axis, grid, scale: "percent", size: 44, splits: quarters, values: withUnit("%") },
        {
          ...axis,
          grid: { show: false },
          scale: "network",
          side: 1,
          size: widthOf,
          splits: quarters,
          values: withUnit("MB/s"),
        },
      ],
      series: [
        {},
        // An area, below the others and told apart from them without its colour.
        {
          ...line,
          scale: "network",
          stroke: colour("network"),
          width: 1,
          fill: colour("network-area"),
        },
        { ...line, scale: "percent", stroke: colour("cpu") },
        { ...line, scale: "percent", stroke: colour("memory") },
      ],
      hooks: { setCursor: [({ cursor }) => this.#options.onRow(cursor.idx ?? undefined)] },
    };
  }
}

function sizeOf({ clientWidth, clientHeight }: HTMLElement): { width: number; height: number } {
  return { width: clientWidth, height: clientHeight };
}

/** uPlot's own are a fraction of a millisecond off at times, and then bear the minute before. */
function wholeMinutes(_: uPlot, _axis: number, min: number, max: number, step: number): number[] {
  const times: number[] = [];
  for (let time = Math.ceil(min / step) * step; time <= max; time += step) times.push(time);
  return times;
}

function hoursAndMinutes(_: uPlot, times: number[]): string[] {
  return times.map(hourAndMinute);
}

/** Both scales in quarters, so that they share their grid lines. */
function quarters(_: uPlot, _axis: number, _min: number, max: number): number[] {
  return [0, 1, 2, 3, 4].map((quarter) => (quarter * max) / 4);
}

/** Room for the longest label: the network scale grows from “8 MB/s” to whatever comes. */
function widthOf(_: uPlot, labels: string[] | null): number {
  return 12 + 7 * Math.max(...(labels ?? [""]).map((label) => label.length));
}

/** The unit stands at the top of the axis only. */
function withUnit(unit: string): (plot: uPlot, splits: number[]) => string[] {
  return (_, splits) =>
    splits.map((value, index) => (index === splits.length - 1 ? `${value} ${unit}` : `${value}`));
}
