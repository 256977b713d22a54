/** "Server-Send Event Demo": the time and the counter, with curl and in a browser's console. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { launchBrowser, openPage } from "../static/open-page.ts";
import { type ServerProcess, startedProcess, startProcess } from "../support/server.ts";
import { consoleOf } from "./console.ts";
import { run } from "./shell.ts";

const TIME = "curl -vN 127.0.0.1:3000/api/time";
const COUNT = "curl -N 127.0.0.1:3000/api/client-count";

const TIME_HEADERS = `< HTTP/1.1 200 OK
< Cache-Control: no-store
< Content-Type: text/event-stream
< X-Accel-Buffering: no
< Date: Thu, 04 Aug 2022 07:05:32 GMT
< Transfer-Encoding: chunked
<`;

const TIME_EVENTS = `event:time
data:"2022-08-04T15:05:32.539158+08:00"

event:time
data:"2022-08-04T15:05:33.53951+08:00"
`;

const COUNT_EVENTS = `event:client-count
data:{"Count":1}

event:client-count
data:{"Count":2}

event:client-count
data:{"Count":1}
`;

const CONSOLE = `const timeEvtSource = new EventSource("http://127.0.0.1:3000/api/time");
timeEvtSource.addEventListener("time", t => console.log(t))

const clientEvtSource = new EventSource("http://127.0.0.1:3000/api/client-count");
clientEvtSource.addEventListener("client-count", t => console.log(t))`;

let server: ServerProcess;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([startProcess(), launchBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

function onPort(text: string, { port } = server): string {
  return text.replaceAll("3000", `${port}`);
}

/** The text of an example as a pattern, with its date and times open. */
function pattern(example: string): string {
  return example
    .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\\\.\d+\\\+\d\d:\d\d/g, TIME_PATTERN)
    .replace(/(< Date: ).*/, "$1.* GMT");
}

const TIME_PATTERN = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+[+-]\d\d:\d\d`;

describe("curl", () => {
  test("gets the headers of the time stream, all of them", async () => {
    const shell = run(onPort(TIME));
    await shell.prints(/event/);
    const headers = shell.stderr().replaceAll("\r", "");
    for (const line of TIME_HEADERS.split("\n")) {
      expect(headers).toMatch(new RegExp(`^${pattern(line)} ?$`, "m"));
    }
  });

  test("gets the time at once and then each second, byte for byte", async () => {
    const shell = run(onPort(TIME));
    const stdout = await shell.prints(/(?:event[^]*){4}\n\n/);
    expect(stdout).toMatch(new RegExp(`^${pattern(TIME_EVENTS)}\n`));
    const times = [...stdout.matchAll(/"(.*)"/g)].map(([, time]) => Date.parse(time!));
    expect(Math.abs(times[0]! - Date.now())).toBeLessThan(20_000);
    const perTick = (times[3]! - times[0]!) / 3;
    expect(perTick).toBeGreaterThan(900);
    expect(perTick).toBeLessThan(1_500);
  });

  test("gets the count at each join and leave, byte for byte", async () => {
    const quiet = await startedProcess();
    const first = run(onPort(COUNT, quiet));
    await first.prints(/1/);
    const second = run(onPort(COUNT, quiet));
    await second.prints(/2/);
    await first.prints(/2/);
    await second.interrupt();
    const stdout = await first.prints(/1[^]*2[^]*1\}\n\n/);
    expect(stdout).toBe(`${COUNT_EVENTS}\n`);
    expect(second.stdout()).toBe(`event:client-count\ndata:{"Count":2}\n\n`);
  });
});

describe("the browser", () => {
  test("logs the time and the count of clients from the console of the first page", async () => {
    const quiet = await startedProcess();
    const { page } = await openPage(browser, onPort("http://127.0.0.1:3000", quiet));
    const console = await consoleOf(page);
    await console.enter(onPort(CONSOLE, quiet));
    const lines = (await console.first(4)) as [{ type: string; data: string }][];
    const times = lines.filter(([{ type }]) => type === "time");
    const counts = lines.filter(([{ type }]) => type === "client-count");
    expect(times).toHaveLength(3);
    expect(JSON.parse(times[0]![0].data)).toMatch(new RegExp(`^${TIME_PATTERN}$`));
    expect(counts).toEqual([[{ type: "client-count", data: '{"Count":1}' }]]);
  });

  test.each([
    ["/api/time", /event:time\s+data:"\d{4}-/],
    ["/api/client-count", /event:client-count\s+data:\{"Count":\d+\}/],
  ])("shows %s when it is simply opened", async (path, text) => {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(onPort(`http://127.0.0.1:3000${path}`), { waitUntil: "commit" });
    await expect.poll(() => page.locator("body").innerText(), { timeout: 20_000 }).toMatch(text);
  });
});
