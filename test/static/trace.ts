/**
 * What the main threads of a browser's pages do, task by task, in the processor's time: on a busy
 * machine the time on the clock says what others do.
 */
import type { Browser, Page } from "playwright-core";

interface TraceEvent {
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** Of the thread, in microseconds. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** @returns what ends it, and gives how many milliseconds each task took, the longest first */
export async function processorTimes(
  browser: Browser,
  page: Page,
): Promise<() => Promise<number[]>> {
  await browser.startTracing(page, { categories: ["toplevel"] });
  return async () => {
    const trace = await browser.stopTracing();
    const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
    const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
    const main = new Set(
      traceEvents
        .filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain")
        .map(threadOf),
    );
    return traceEvents
      .filter(
        (event) => event.name === "ThreadControllerImpl::RunTask" && main.has(threadOf(event)),
      )
      .map(({ tdur = 0 }) => tdur / 1_000) // none: it goes on when the trace ends
      .toSorted((a, b) => b - a);
  };
}
