/** Transports that give what a test tells them to, and say what is open. */
import type { Place, TopicBatch, Transport } from "../../client/transport.ts";

/** A batch, a failure, "silence", or what has to happen before the next step. */
export type Step = TopicBatch | Error | "silence" | Promise<unknown>;

export const batch = (from: number, to: number, epoch = "e"): TopicBatch => ({
  events: Array.from({ length: to - from + 1 }, (_, index) => ({ offset: from + index, data: 0 })),
  cursor: `${epoch}.${to}`,
});

export const empty = (offset: number, epoch = "e"): TopicBatch => ({
  events: [],
  cursor: `${epoch}.${offset}`,
});

export const gap = (missed: number | null, reason: "evicted" | "epoch" = "evicted") => ({
  gap: { missed, reason },
});

/** Gives one list of steps after the other, try after try, and then nothing. */
export function scripted(tries: readonly (readonly Step[])[], name = "scripted") {
  const places: Place[] = [];
  const state = { places, openNow: 0 };
  const transport: Transport = {
    name,
    async *open(place, signal) {
      const steps = tries[places.length] ?? [];
      places.push(place);
      state.openNow += 1;
      try {
        for (const step of steps) {
          if (step instanceof Error) throw step;
          if (step === "silence") await aborted(signal);
          else if (step instanceof Promise) await Promise.race([step, aborted(signal)]);
          else yield step;
        }
        await aborted(signal);
      } finally {
        state.openNow -= 1;
      }
    },
  };
  return { transport, places, openNow: () => state.openNow };
}

export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}
