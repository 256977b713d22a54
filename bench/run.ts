/** `npm run bench`: every measurement, one after the other, as Markdown. */
import { parseArgs } from "node:util";
import { httpBatch } from "./http-batch.ts";
import { poll } from "./poll.ts";
import { publish } from "./publish.ts";
import { type Effort, environment } from "./report.ts";

const FULL: Effort = { rounds: 9, sliceMs: 2_000, divisor: 1 };
const QUICK: Effort = { rounds: 5, sliceMs: 400, divisor: 10 };

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const effort = values.quick ? QUICK : FULL;

console.log("# capnweb-push, measured\n");
console.log(environment(["capnweb", "hono", "@hono/node-server", "ws"]));
console.log(`${effort.rounds} rounds, the sides in turns${values.quick ? " (--quick)" : ""}.`);

await publish(effort);
await poll(effort);
await httpBatch(effort);
