/** A program's life: when it ends, what its client is told, and what becomes of it without one. */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { until } from "../support/until.ts";
import { bytesWritten, childrenOf, isAlive } from "./processes.ts";
import { type Row, sh, type Side } from "./row.ts";

const WITNESS = "test/support/programs/witness.mjs";

/** A file for a program to write or to look for; it is not there yet. */
function newFile(): string {
  return join(mkdtempSync(join(tmpdir(), "exec-")), "file");
}

/** What becomes of a process: of exec's it is waited for, of websocketd's a while. */
async function fate(side: Side, pid: number): Promise<"runs on" | "is gone"> {
  const gone = until(() => !isAlive(pid));
  await (side.name === "exec" ? gone : Promise.race([gone, sleep(1_000)]));
  if (!isAlive(pid)) return "is gone";
  process.kill(pid, "SIGKILL");
  await gone;
  return "runs on";
}

export const LIFE: readonly Row[] = [
  {
    name: "the end of stdout ends the socket, though the process runs on",
    see: async (side) => {
      const client = await side.run(sh("echo one; exec >&-; exec sleep 1000"));
      return (await client.toEnd()).lines;
    },
    same: ["one"],
  },
  {
    name: "the end of the process does not, while another holds its stdout",
    see: async (side) => {
      const file = newFile();
      const wait = '(while [ ! -e "$1" ]; do sleep 0.01; done; echo late) & echo $$';
      const client = await side.run(sh(wait, file));
      const [pid] = await client.first(1);
      await until(() => !isAlive(Number(pid)));
      writeFileSync(file, "");
      return (await client.toEnd()).lines.slice(1);
    },
    same: ["late"],
  },
  ...["a close frame", "no word"].map((leaving): Row => ({
    name: `when its client leaves with ${leaving}: the end of stdin, SIGINT, SIGTERM, SIGKILL`,
    see: async (side) => {
      const file = newFile();
      const client = await side.run([process.execPath, WITNESS, file]);
      const pid = Number((await client.first(1))[0]);
      const start = Date.now();
      if (leaving === "no word") client.socket.terminate();
      else client.socket.close();
      await until(() => !isAlive(pid));
      const killedMs = Date.now() - start;
      const notes = readFileSync(file, "utf8").trimEnd().split("\n");
      const seen = notes.map((note) => /^(\d+) (.*)$/.exec(note)!.slice(1) as [string, string]);
      // What is seen late has been sent in time; too early is what cannot be.
      for (const [index, leastMs] of [0, 100, 350].entries()) {
        expect(Number(seen[index]?.[0]) - start).toBeGreaterThanOrEqual(leastMs - CLOCK_MS);
      }
      expect(killedMs).toBeGreaterThanOrEqual(850 - CLOCK_MS);
      return seen.map(([, what]) => what);
    },
    same: ["end of stdin", "SIGINT", "SIGTERM"],
  })),
  {
    name: "a program that ends with its stdin may say a last word and clean up",
    see: async (side) => {
      const file = newFile();
      const client = await side.run(sh('echo $$; cat; echo bye; echo saved > "$1"', file));
      const pid = Number((await client.first(1))[0]);
      client.socket.close();
      await until(() => !isAlive(pid));
      return existsSync(file);
    },
    same: true,
  },
  {
    name: "two clients are two processes",
    see: async (side) => {
      const server = await side.start(sh("echo $$; exec cat"));
      const clients = await Promise.all([side.visit(server), side.visit(server)]);
      clients[0].send("to one");
      await clients[0].first(2);
      clients[1].send("to two");
      const [[one, ...first], [two, ...second]] = (await Promise.all(
        clients.map((client) => client.first(2)),
      )) as [string[], string[]];
      return { differ: one !== two, first, second };
    },
    same: { differ: true, first: ["to one"], second: ["to two"] },
  },
  {
    name: "stderr goes to the log, with the pid",
    see: async (side) => {
      const server = await side.start(sh("echo oops >&2; echo $$; exec cat"));
      const [pid] = await (await side.visit(server)).first(1);
      const pattern = new RegExp(`\\b${pid}\\b.*\\boops$`, "m");
      await until(() => server.output().includes("oops\n"));
      return pattern.test(server.output());
    },
    same: true,
  },
  {
    name: "a program that no longer reads its stdin goes on printing",
    see: async (side) => {
      const client = await side.run(sh("exec <&-; echo ready; sleep 0.3; echo still there"));
      await client.first(1);
      for (let count = 0; count < 100; count += 1) client.send("x".repeat(10_000));
      return (await client.toEnd()).lines;
    },
    same: ["ready", "still there"],
  },
  {
    name: "a client that does not read stops the program, and one that reads again lets it go on",
    see: async (side) => {
      const server = await side.start(["yes"]);
      const client = await side.visit(server);
      await client.first(1);
      client.socket.pause();
      const { pid } = childrenOf(server.process.pid!)[0]!;
      let before: number;
      do {
        before = bytesWritten(pid);
        await sleep(500);
      } while (bytesWritten(pid) > before);
      const seen = [isAlive(pid)];
      client.socket.resume();
      await until(() => bytesWritten(pid) > before);
      client.socket.terminate();
      return [...seen, "it goes on"];
    },
    same: [true, "it goes on"],
  },
  {
    name: "a ping is answered, and so is the client's close frame",
    see: async (side) => {
      const client = await side.run(["cat"]);
      const pong = new Promise((resolve) => {
        client.socket.once("pong", (data) => resolve(data.toString()));
      });
      client.socket.ping("hello");
      const answer = await pong;
      client.socket.close(1000);
      return [answer, (await client.closed).code];
    },
    same: ["hello", 1000],
  },
  {
    name: "the program, when a client has left whose messages it does not read",
    see: async (side) => {
      const client = await side.run(sh("echo $$; exec sleep 1000"));
      const pid = Number((await client.first(1))[0]);
      for (let count = 0; count < 40; count += 1) client.send("x".repeat(500_000));
      await until(() => client.socket.bufferedAmount > 0);
      client.socket.terminate();
      return fate(side, pid);
    },
    websocketd: "runs on",
    exec: "is gone",
  },
  {
    name: "more on its way to cat and back than pipes and sockets hold",
    see: async (side) => {
      const client = await side.run(["cat"]);
      const count = 20_000;
      for (let sent = 0; sent < count; sent += 1) client.send("x".repeat(1_000));
      let before: number;
      do {
        before = client.frames.length;
        await sleep(side.name === "exec" ? 0 : 1_000);
      } while (
        client.frames.length < count &&
        (side.name === "exec" || client.frames.length > before)
      );
      return client.frames.length === count ? "comes back" : "stands still";
    },
    websocketd: "stands still",
    exec: "comes back",
  },
  {
    name: "what the client is told: exit code 0, exit code 3, SIGKILL",
    see: async (side) => {
      const ends = [];
      for (const script of ["exit 0", "exit 3", "kill -KILL $$"]) {
        const { code, reason } = await (await side.run(sh(script))).closed;
        ends.push([code, reason]);
      }
      return ends;
    },
    websocketd: [
      [1006, ""],
      [1006, ""],
      [1006, ""],
    ],
    exec: [
      [1000, ""],
      [1011, '{"code":"program_failed","message":"the program ended with exit code 3"}'],
      [1011, '{"code":"program_failed","message":"the program was ended by SIGKILL"}'],
    ],
  },
  {
    name: "what the program has started, when its client has left",
    see: async (side) => {
      const client = await side.run(sh("sleep 1000 & echo $!; echo $$; wait"));
      const [grandchild, pid] = (await client.first(2)).map(Number) as [number, number];
      client.socket.close();
      await until(() => !isAlive(pid));
      return fate(side, grandchild);
    },
    websocketd: "runs on",
    exec: "is gone",
  },
  {
    name: "what the client is told when the server is stopped",
    see: async (side) => {
      const server = await side.start(["cat"]);
      const client = await side.visit(server);
      const [ended, { code, reason }] = await Promise.all([server.kill("SIGTERM"), client.closed]);
      return [ended, code, /"code":"(\w+)"/.exec(reason)?.[1]];
    },
    websocketd: ["SIGTERM", 1006, undefined],
    exec: [0, 1012, "shutting_down"],
  },
];

// `Date.now()` may be set a little back meanwhile, and its milliseconds are rounded.
const CLOCK_MS = 5;
