/** Programs and clients that do not do what one would wish, over every transport. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { until } from "../support/until.ts";
import { ask } from "../support/wire.ts";
import { TRANSPORTS } from "./guests.ts";
import { childrenOf, isAlive } from "./processes.ts";
import { sh } from "./row.ts";
import { type Stage, test } from "./stage.ts";
import { refusal } from "./visit.ts";
import { ENDED, FAILED, KILLED, RUNS_ON, type Words } from "./words.ts";

type Open = Stage["open"];
type Server = Awaited<ReturnType<Stage["startExec"]>>;

/** What comes to the client of each transport, all at the same time, and what it is told. */
async function outcomes(open: Open, server: Server, path = "/") {
  const seen = TRANSPORTS.map(async (transport) => {
    const guest = await open(transport, server, { path });
    const told = await guest.told;
    return [transport, { told, lines: guest.lines() }] as const;
  });
  return Object.fromEntries(await Promise.all(seen));
}

/** The same lines for all, and to each its own words. */
function all(lines: readonly string[], words: Words) {
  return Object.fromEntries(
    TRANSPORTS.map((transport) => [transport, { told: words[transport], lines }]),
  );
}

describe("what a client of each transport gets", () => {
  test.concurrent(
    "of a program that ends at once, in one way or another",
    async ({ startExec, open }) => {
      const server = await startExec(sh('case "$PATH_INFO" in /3) exit 3;; /k) kill -9 $$;; esac'));
      expect(await outcomes(open, server)).toEqual(all([], ENDED));
      expect(await outcomes(open, server, "/3")).toEqual(all([], FAILED));
      expect(await outcomes(open, server, "/k")).toEqual(all([], KILLED));
    },
  );

  test.concurrent("of one that closes its stdout and runs on", async ({ startExec, open }) => {
    const server = await startExec(sh("echo $$; exec >&-; exec sleep 1000"));
    const seen = await outcomes(open, server);
    const pids = Object.values(seen).map(({ lines }) => Number(lines[0]));
    for (const transport of TRANSPORTS) expect(seen[transport]!.told).toBe(RUNS_ON[transport]);
    await until(() => !pids.some(isAlive));
  });

  test.concurrent(
    "of one that ends while a child of its holds its stdout",
    async ({ startExec, open }) => {
      const server = await startExec(sh("(sleep 0.3; echo late) & echo early; exit 3"));
      expect(await outcomes(open, server)).toEqual(all(["early", "late"], FAILED));
    },
  );

  test.concurrent(
    "of bytes that are not UTF-8, and a line that nothing ends",
    async ({ startExec, open }) => {
      const server = await startExec(["printf", "a\\377b\\n\\303\\n\\r\\nlast"]);
      const lines = ["a\uFFFDb", "\uFFFD", "", "last"];
      const plain = { told: "end", lines: ["a\uFFFDb", "\uFFFD", "\r", "last"] }; // as they are
      expect(await outcomes(open, server)).toEqual({ ...all(lines, ENDED), text: plain });
    },
  );

  test.concurrent(
    "when there is no program: 502, and the server lives",
    async ({ startExec, open }) => {
      const script = join(mkdtempSync(join(tmpdir(), "exec-")), "script");
      const create = () => {
        writeFileSync(script, "#!/bin/sh\necho here\n");
        chmodSync(script, 0o755);
      };
      create();
      const server = await startExec([script], ["--max-processes", "5"]);
      rmSync(script);
      for (let round = 0; round < 3; round += 1) {
        const refused = TRANSPORTS.map((transport) => open(transport, server).catch(refusal));
        expect(await Promise.all(refused)).toEqual(TRANSPORTS.map(() => 502));
      }
      const answer = await ask(server.url, { headers: { Accept: "*/*" } });
      expect(JSON.parse(answer.text)).toMatchObject({ error: { code: "program_failed" } });
      create(); // every slot has been given back
      expect(await outcomes(open, server)).toEqual(all(["here"], ENDED));
    },
  );
});

describe("nothing of a program is left", () => {
  const STUBBORN = sh(`
    trap '' INT TERM
    (trap '' INT TERM; while :; do sleep 1000; done) &
    echo $! $$
    while :; do sleep 1000; done`);

  test.concurrent.for(["end", "reset"] as const)(
    "of one that ignores signals, as its child does, when its client's connection has its %s",
    async (how, { startExec, open }) => {
      const server = await startExec(STUBBORN);
      const guests = TRANSPORTS.map((transport) => open(transport, server));
      const pids: number[] = [];
      for (const guest of await Promise.all(guests)) {
        const [line] = await guest.first(1);
        pids.push(...line!.split(" ").map(Number));
        if (how === "reset") guest.socket.resetAndDestroy();
        else guest.socket.end(); // no close frame, no word
      }
      expect(pids).toHaveLength(2 * TRANSPORTS.length);
      await until(() => !pids.some(isAlive));
      await until(() => childrenOf(server.process.pid!).length === 0); // zombies neither
    },
  );

  test.concurrent("of one whose leader has ended before its child", async ({ startExec, open }) => {
    const server = await startExec(sh("(trap '' INT TERM; exec sleep 1000) & echo $! $$"));
    const pids: number[] = [];
    for (const guest of await Promise.all(TRANSPORTS.map((name) => open(name, server)))) {
      const [child, leader] = (await guest.first(1))[0]!.split(" ").map(Number);
      await until(() => !isAlive(leader!));
      guest.socket.destroy();
      pids.push(child!);
    }
    await until(() => !pids.some(isAlive));
  });
});

describe("input", () => {
  test.concurrent("is empty where a client can send none", async ({ startExec, open }) => {
    const server = await startExec(sh("cat; echo end"));
    for (const transport of ["SSE", "NDJSON", "text"] as const) {
      const guest = await open(transport, server);
      expect([transport, await guest.told]).toEqual([transport, ENDED[transport]]);
      expect(guest.lines()).toEqual(["end"]);
    }
  });

  test.concurrent(
    "is thrown away when the program has closed it",
    async ({ startExec, open, visit }) => {
      const server = await startExec(
        sh('exec <&-; echo ready; [ "$PATH_INFO" = / ] || sleep 1000'),
      );
      const client = await visit(server, { path: "/wait" });
      await client.first(1);
      for (let count = 0; count < 200; count += 1) client.send("x".repeat(100_000));
      const pong = new Promise((resolve) => client.socket.once("pong", resolve));
      client.socket.ping();
      await pong; // all that came before has been read, and the client is still there
      expect(await outcomes(open, server)).toEqual(all(["ready"], ENDED));
    },
  );
});
