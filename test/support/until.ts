/** Waits for a state that has no event of its own. The test's timeout ends a wait for nothing. */
import { setTimeout as sleep } from "node:timers/promises";

export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(2);
}
