/** `npm run bench`: every measurement, one after the other, as Markdown. */
import { parseArgs } from "node:util";
import { capnweb } from "./capnweb.ts";
import { delay } from "./delay.ts";
import { exec } from "./exec.ts";
import { fanOut, growth } from "./fan-out.ts";
import { frozen } from "./frozen.ts";
import { httpBatch } from "./http-batch.ts";
import { joining } from "./joining.ts";
import { memory } from "./memory.ts";
import { poll } from "./poll.ts";
import { publish } from "./publish.ts";
import { type Effort, environment } from "./report.ts";
import { turns } from "./turns.ts";

const PARTS: Record<string, (effort: Effort) => Promise<void>> = {
  publish,
  poll,
  "http-batch": httpBatch,
  "fan-out": fanOut,
  growth,
  capnweb,
  memory,
  frozen,
  delay,
  turns,
  joining,
  exec,
};

// Together some 20 minutes; the fan-out takes the most of it.
const FULL: Effort = {
  rounds: 7,
  sliceMs: 1_500,
  divisor: 1,
  fanOutSizes: [100, 1_000, 5_000, 10_000],
  fanOutRounds: 5,
  fanOutMs: 500,
};
// Two minutes.
const QUICK: Effort = {
  rounds: 3,
  sliceMs: 250,
  divisor: 10,
  fanOutSizes: [1_000],
  fanOutRounds: 2,
  fanOutMs: 200,
};
const PACKAGES = ["capnweb", "hono", "@hono/node-server", "ws", "better-sse", "socket.io"];

const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string", multiple: true } },
});
const effort = values.quick ? QUICK : FULL;
// Programs take their time to start: `exec` has to be asked for.
const parts = Object.keys(PARTS).filter((name) => !(values.quick && name === "exec"));
const { only = parts } = values;
const unknown = only.find((name) => !(name in PARTS));
if (unknown !== undefined) {
  console.error(`Expected --only to be one of ${Object.keys(PARTS).join(", ")}, got ${unknown}`);
  process.exit(2);
}

console.log("# capnweb-push, measured\n");
console.log(environment(PACKAGES));
console.log(`The sides in turns, a round at a time${values.quick ? " (--quick)" : ""}.`);

for (const name of only) {
  const begin = performance.now();
  await PARTS[name]!(effort);
  console.error(`${name} took ${Math.round((performance.now() - begin) / 1_000)} s`);
}
