/** The table of the latest updates, newest first. Its rows are made once and filled again. */
import type { SystemMetrics } from "../../server/contract.ts";
import { timeOfDay } from "../shared/time-format.ts";

const ROWS = 12;

export class UpdatesTable {
  readonly #body: HTMLElement;
  #latest: readonly SystemMetrics[] = [];

  constructor(body: HTMLElement) {
    this.#body = body;
  }

  /** `samples` in order, as they came. */
  add(samples: readonly SystemMetrics[]): void {
    this.#latest = [...samples.toReversed(), ...this.#latest].slice(0, ROWS);
    for (const [index, sample] of this.#latest.entries()) {
      const row = this.#body.children[index] ?? this.#newRow();
      for (const [column, text] of textsOf(sample).entries()) {
        const cell = row.children[column];
        if (cell) cell.textContent = text;
      }
    }
  }

  #newRow(): Element {
    const row = this.#body.appendChild(document.createElement("tr"));
    for (let column = 0; column < 4; column++) row.appendChild(document.createElement("td"));
    return row;
  }
}

function textsOf({ timestamp, cpuUsage, memoryUsage, networkIO }: SystemMetrics): string[] {
  const values = [cpuUsage, memoryUsage, networkIO].map((value) => value.toFixed(1));
  return [timeOfDay(timestamp * 1_000), ...values];
}
