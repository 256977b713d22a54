/** Lines → a hub in this process, in slices: whoever reads from it has a turn in between. */
import { PushError } from "../../errors.ts";
import type { Hub } from "../../hub.ts";
import type { Line, Refuse } from "./input.ts";

// A chunk of a pipe may hold 30,000 lines, which would take as many microseconds and more.
const SLICE_MS = 5;

/** The next block is asked for when this one is stored: a slow store stops stdin. */
export async function feed(
  hub: Pick<Hub, "publish">,
  topic: string,
  blocks: AsyncIterable<Iterable<Line>>,
  refuse: Refuse,
): Promise<void> {
  let sliceEnd = performance.now() + SLICE_MS;
  for await (const block of blocks) {
    for (const { number, data } of block) {
      try {
        const stored = hub.publish(topic, data);
        if (stored instanceof Promise) await stored;
      } catch (error) {
        if (!(error instanceof PushError)) throw error;
        refuse(number, error.message);
      }
      if (performance.now() < sliceEnd) continue;
      await new Promise((resolve) => setImmediate(resolve));
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
}
