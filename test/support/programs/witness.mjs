/**
 * Writes what happens to it into the file that it is given, each with the time: the end of stdin,
 * SIGINT, SIGTERM. It obeys none of them.
 */
import { appendFileSync } from "node:fs";
import { setInterval } from "node:timers";

const note = (what) => appendFileSync(process.argv[2], `${Date.now()} ${what}\n`);

process.on("SIGINT", () => note("SIGINT"));
process.on("SIGTERM", () => note("SIGTERM"));
process.stdin.on("end", () => note("end of stdin")).resume();
setInterval(() => {}, 60_000);
process.stdout.write(`${process.pid}\n`);
