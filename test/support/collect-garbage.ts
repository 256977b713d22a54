/** Node's garbage collector on demand, and what is still alive after it. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

/** How many of them something still holds. */
export async function survivors(references: Iterable<WeakRef<object>>): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve)); // what this turn has looked at stays alive
  gc();
  return [...references].filter((reference) => reference.deref() !== undefined).length;
}
