/**
 * Single messages that would take a server down or make it work without end, against a real server
 * process: it lives, prints nothing, and answers the next client.
 */
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Allowance } from "../../../server/transports/rpc/messages.ts";
import { openFrames } from "../../support/frames.ts";
import {
  type ServerProcess,
  startedLocal,
  startedProcess,
  startProcess,
} from "../../support/server.ts";
import { call, openTcp, post, push } from "../../support/wire.ts";

const PULL = '["pull",1]';

/** One for all that it has to survive: a message that it does not is told by its own test. */
let program: ServerProcess;

beforeAll(async () => {
  program = await startProcess();
});

afterAll(async () => {
  await program?.kill("SIGKILL");
});

async function expectAlive(server: ServerProcess): Promise<void> {
  await call(server.url, "topics");
  await call(server.url, "topics");
  expect(server.process.exitCode).toBe(null);
  expect(server.output().split("\n")).toHaveLength(5); // the greeting
}

describe("a promise of the client, which the library rejects when it gives the message up", () => {
  const lines = [
    ["beside a bad value", '["push",["pipeline",0,["read"],[["promise",-1],["nonsense"]]]]'],
    ["beside an unknown id", '["push",["pipeline",0,["read"],[["promise",-1],["import",9]]]]'],
    ["above a nesting too deep", `["push",["pipeline",0,["read"],[["promise",-1],${deep(300)}]]]`],
    ["in a call inside a bad value", '["push",[[["pipeline",0,["x"],[["promise",-1]]],["bad"]]]]'],
    ["in a message that is a value", '["push",["promise",-1]]'],
    ["in a call of nothing", push("nothing", ["promise", -1])],
    ["in a call of a call of nothing", '["push",["pipeline",0,["a","b"],[["promise",-1]]]]'],
    ["in a stream", '["stream",["pipeline",0,["read"],[["promise",-1]]]]'],
    ["in an answer to nothing", '["resolve",5,["promise",-1]]'],
    ["in an error", '["reject",5,["error","Error","",null,{"a":["promise",-1]}]]'],
    ["in an abort", '["abort",["promise",-1]]'],
    ["in the captures of a map", '["push",["remap",0,[],[["export",-1]],[["promise",-1]]]]'],
    ["given twice", push("read", ["promise", -1], ["promise", -1])],
  ];

  test.each(lines)("%s, in a batch", async (_name, line) => {
    // Once refused as a whole, once given up by the client.
    await post(program.url, `${line}\n["nonsense"]`);
    const socket = await openTcp(program.url);
    const body = `${line}\n${PULL}`;
    const head = `POST /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`;
    socket.write(head + body);
    await call(program.url, "topics");
    socket.destroy();
    await expectAlive(program);
  });

  test.each(lines)("%s, in a session", async (_name, line) => {
    for (const end of [["[]"], ['["release",1,1]'], ['["pull",1]', '["release",1,1]', "[]"], []]) {
      const { send, socket, closed } = await openFrames(`ws://127.0.0.1:${program.port}/api`);
      send(line, ...end);
      socket.close();
      await closed;
    }
    await expectAlive(program);
  });
});

describe("a call that fails when nobody can be told", () => {
  const fails = '["pipeline",0,["subscribe"],[]]';
  const lines = [
    ["in an abort", `["abort",${fails}]`],
    ["in a list in an abort", `["abort",[[["import",0,["listen"],[]]]]]`],
    ["in an answer to nothing", `["resolve",9,${fails}]`],
    ["in what resolves the client's main object", `["resolve",0,${fails}]`],
    ["in a value that resolves the client's main object", `["resolve",0,[[${fails}]]]`],
    ["in a refusal of nothing", `["reject",9,[[${fails}]]]`],
    ["in an error", `["abort",["error","Error","",null,{"a":${fails}}]]`],
    ["beside a bad value", `["push",[[${fails},["nonsense"]]]]`],
    ["beside a bad argument", `["push",["pipeline",0,["read"],[${fails},["nonsense"]]]]`],
    ["in a name that is left out", `["push",{"__proto__":${fails}}]`],
    [
      "in an argument's name that is left out",
      `["push",["pipeline",0,["read"],[{"toJSON":${fails}}]]]`,
    ],
    ["in a call of nothing", `["push",["pipeline",0,["nothing"],[${fails}]]]`],
    ["in a value", `["push",[[${fails}]]]`],
    ["in a stream", `["stream",[[${fails}]]]`],
  ];

  test.each(lines)("%s, in a batch", async (_name, line) => {
    await post(program.url, line);
    await post(program.url, `${line}\n${PULL}`);
    await post(program.url, `${line}\n["release",1,1]`);
    await expectAlive(program);
  });

  test.each(lines)("%s, in a session", async (_name, line) => {
    for (const end of [["[]"], ['["release",1,1]'], ['["pull",1]', "[]"], []]) {
      const { send, socket, closed } = await openFrames(`ws://127.0.0.1:${program.port}/api`);
      send(line, ...end);
      socket.close();
      await closed;
    }
    await expectAlive(program);
  });
});

describe("one line makes no more calls than a batch may have", () => {
  const nestedCalls = (count: number) =>
    `["push",[[${Array.from({ length: count }, () => '["pipeline",0,["topics"],[]]').join(",")}]]]`;
  const read = push("read", "topic");
  const map = '["push",["remap",1,["events"],[["import",0]],[["pipeline",-1,["topics"],[]]]]]';
  const mapInMap =
    '["push",["remap",1,["events"],[["import",0],["import",1]],' +
    '[["remap",-2,["events"],[["import",-1]],[["pipeline",-1,["topics"],[]]]]]]]';

  const cases: [string, string[]][] = [
    ["calls in a value", [nestedCalls(200)]],
    [
      "calls in an argument",
      [push("read", [[...Array(200).fill(["pipeline", 0, ["topics"], []])]])],
    ],
    ["a map", [read, map, '["pull",2]']],
    ["a map in a map", [read, mapInMap, '["pull",2]']],
  ];

  test.each(cases)("%s, in a batch", async (_name, lines) => {
    const server = await startedLocal({ limits: { batchMessages: 20 } });
    for (let event = 0; event < 100; event += 1) await server.hub.publish("topic", event);
    const calls = countCalls(server);
    await post(server.url, lines.join("\n"));
    expect(calls()).toBeLessThanOrEqual(20);
  });

  test.each(cases)("%s, in a session", async (_name, lines) => {
    const server = await startedLocal({ limits: { sessionCalls: 20 } });
    for (let event = 0; event < 100; event += 1) await server.hub.publish("topic", event);
    const calls = countCalls(server);
    const { send, socket, closed } = await openFrames(server.socketUrl);
    send(...lines);
    socket.close();
    await closed;
    await call(server.url, "read", "topic");
    expect(calls()).toBeLessThanOrEqual(20);
  });
});

describe("the calls of one value are not answered without end", () => {
  const reads = `["push",[[${Array(500).fill('["pipeline",0,["read"],["topic"]]').join()}]]]`;

  test("in a session: beyond the limit they are refused, and the session goes on", async () => {
    const server = await startedLocal({ limits: { answerBytes: 100_000 } });
    for (let event = 0; event < 20; event += 1) await server.hub.publish("topic", "x".repeat(500));
    const { send, next } = await openFrames(server.socketUrl);
    send(reads, '["pull",1]');
    const answers = [];
    for (let answer = 0; answer <= 500; answer += 1) answers.push(JSON.stringify(await next()));
    const told = "Expected answers of at most 100000 bytes to the calls of one value";
    expect(answers.filter((text) => text.includes(told)).length).toBeGreaterThan(480);
    send('["push",["pipeline",0,["topics"],[]]]', '["pull",2]');
    expect(await next()).toMatchObject(["resolve", 2, [[{ topic: "topic" }]]]);
  });

  test("once over the limit, the rest is not even measured", () => {
    const allowance = new Allowance(5);
    let measured = 0;
    const answer = { toJSON: () => (measured += 1) && "123456" };
    for (let answers = 0; answers < 3; answers += 1) {
      expect(() => allowance.spend(answer)).toThrow("at most 5 bytes");
    }
    expect(measured).toBe(1);
  });
});

describe("one result is not copied without end", () => {
  const read = push("read", "system-metrics");
  const times = (count: number, text: string) => Array.from({ length: count }, () => text).join();
  const bodies: [string, string[]][] = [
    ["into a value", [read, `["push",[[${times(5_000, '["pipeline",1]')}]]]`, '["pull",2]']],
    [
      "into parameters",
      [read, `["push",["pipeline",0,["poll"],[${times(5_000, '["pipeline",1]')}]]]`],
    ],
    [
      "by a map",
      [read, '["push",["remap",1,["events"],[["import",1]],[["import",-1]]]]', '["pull",2]'],
    ],
    ["as a property", [read, ...Array<string>(1_990).fill('["push",["pipeline",1,["events"]]]')]],
  ];

  test.skipIf(process.platform !== "linux").each(bodies)("%s", async (_name, lines) => {
    const server = await startedProcess(["--metrics-interval", "10"]);
    while ((await call<[{ events: number }[]]>(server.url, "topics"))[0][0]!.events < 400);
    const before = await peakMemory(server);
    const answer = await post(server.url, lines.join("\n")).catch((error: Error) => error.message);
    expect(answer, "the server has gone").toHaveProperty("status");
    // One such batch; a server with room for a hundred of them is not asked too much.
    expect((await peakMemory(server)) - before).toBeLessThan(64 * 1024 * 1024);
    await expectAlive(server);
  });
});

test("a map over very many events does not fill the socket of a client that never reads", async () => {
  const server = await startedLocal({ limits: { sessionBytes: 500_000 } });
  for (let event = 0; event < 300; event += 1) await server.hub.publish("topic", "x".repeat(100));
  const { send, socket, closed } = await openFrames(server.socketUrl);
  socket.pause();
  const map = '["push",["remap",1,["events"],[["import",0]],[["pipeline",-1,["read"],["topic"]]]]]';
  send(push("read", "topic"), map, '["pull",2]');
  // Other requests are the clock: by then the server has made all the answers.
  for (let trip = 0; trip < 200; trip += 1) await call(server.url, "topics");
  socket.resume();
  expect((await closed).code).toBe(1013);
});

test("a page of a foreign name that points to this machine is refused, also by a library's server", async () => {
  const { url } = await startedLocal();
  const { hostname, port } = new URL(url);
  const { status } = await new Promise<{ status: number | undefined }>((resolve) => {
    const headers = { Host: "evil.example", Origin: "http://evil.example" };
    request({ hostname, port, path: "/api", headers }, (response) => {
      response.resume();
      resolve({ status: response.statusCode });
    }).end();
  });
  expect(status).toBe(403);
});

/** The most that it ever had in memory, in bytes. */
async function peakMemory({ process: { pid } }: ServerProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

/** How often `topics` is called from now on. It works as ever. */
function countCalls({ hub }: { hub: { topics: () => unknown } }): () => number {
  let calls = 0;
  const topics = hub.topics.bind(hub);
  hub.topics = () => {
    calls += 1;
    return topics();
  };
  return () => calls;
}

function deep(depth: number): string {
  return `${"[[".repeat(depth)}${"]]".repeat(depth)}`;
}
