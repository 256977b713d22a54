/** "Pushing", its WebSocket demo: a shell script that counts, and a browser that listens. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { launchBrowser } from "../static/open-page.ts";
import { PROGRAM } from "../support/server.ts";
import { until } from "../support/until.ts";
import { consoleOf } from "./console.ts";
import { run } from "./shell.ts";

const SHELL = `
cat <<'SH' > handle.sh
#!/bin/bash

# Count from 1 to 10, pausing for a second between each iteration.
for COUNT in $(seq 1 10); do
  echo $COUNT
  sleep 1
done
SH
chmod +x ./handle.sh
websocketd --port=8080 ./handle.sh
`;

const BROWSER = `
var ws = new WebSocket('ws://localhost:8080/');

ws.onmessage = function(event) {
  console.log('Count is: ' + event.data);
};
`;

test("counts from 1 to 10 in a browser's console, one a second, and closes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "seed-"));
  const program = `"${process.execPath}" "${resolve(PROGRAM)}"`;
  const ours = SHELL.replace("websocketd --port=8080", `exec ${program} exec --port=0`);
  const shell = run(`cd "${folder}"\n${ours}`);
  const [, port] = /http:\/\/localhost:(\d+)\//.exec(await shell.prints(/localhost:\d+\//))!;

  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  // It starts nothing by itself; it is a page of the origin that may.
  await page.goto(`http://localhost:${port}/`);
  const devTools = await consoleOf(page);
  const start = Date.now();
  await devTools.enter(BROWSER.replace("8080", port!));
  await until(async () => (await page.evaluate("ws.readyState")) === CLOSED);
  expect(Date.now() - start).toBeGreaterThan(9_000);
  expect(await devTools.first(10)).toEqual(
    Array.from({ length: 10 }, (_, index) => [`Count is: ${index + 1}`]),
  );
  expect(devTools.logged).toHaveLength(10);

  await shell.interrupt();
  expect(await shell.ended).toBe(0);
});

const CLOSED = 3; // WebSocket.CLOSED
