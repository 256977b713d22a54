/** What a run prints: Markdown, ratios first. */
import { existsSync, readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { median } from "./rounds.ts";

/** Two measures of effort; the full one is for numbers that are to be quoted. */
export interface Effort {
  readonly rounds: number;
  /** How long one side is under load in one round, in milliseconds. */
  readonly sliceMs: number;
  /** Divides the counts of everything that runs in process. */
  readonly divisor: number;
  /** Of the fan-out: how many clients, how many rounds, how long one side is under load. */
  readonly fanOutSizes: readonly number[];
  readonly fanOutRounds: number;
  readonly fanOutMs: number;
}

export function section(title: string, ...paragraphs: readonly string[]): void {
  console.log([`\n## ${title}`, ...paragraphs].join("\n\n"));
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const align = head.map((_cell, column) => (column === 0 ? "---" : "---:"));
  const lines = [head, align, ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  console.log(`\n${lines.join("\n")}`);
}

export const RATIO_HEAD = ["ratio, median", "min", "max"];

/** The cells under RATIO_HEAD. */
export function ratioCells(values: readonly number[]): string[] {
  return [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(2),
  );
}

/** In one cell: the median, and from where to where. */
export function ratioRange(values: readonly number[]): string {
  const [middle, least, most] = ratioCells(values);
  return `${middle} (${least}–${most})`;
}

/** Microseconds, for orientation. */
export function micros(values: readonly number[]): string {
  return median(values).toFixed(median(values) < 10 ? 2 : 1);
}

export function environment(packages: readonly string[]): string {
  const [cpu] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const versions = packages.map((name) => `${name} ${versionOf(name)}`).join(", ");
  return (
    `${cpu?.model.trim() ?? "unknown processor"}, ${cpus().length} cores, ${memory}; ` +
    `${process.platform} ${process.arch}, node ${process.versions.node}; ${versions}.`
  );
}

function versionOf(name: string): string {
  // From dist/bench/: the peers are installed in bench/, the product's packages in the root.
  const folders = ["../../node_modules", "../../../node_modules"];
  const files = folders.map((folder) => new URL(`${folder}/${name}/package.json`, import.meta.url));
  const file = files.find((candidate) => existsSync(candidate))!;
  // Not `require`: the packages do not all export their package.json.
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
