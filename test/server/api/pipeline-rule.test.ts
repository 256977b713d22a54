/**
 * The one thing that is rewritten: in the first message of a batch the main object may be called 1.
 * Everything else is the library's protocol, and a batch gives the same answer as the library's own
 * server, byte for byte.
 */
import { PassThrough } from "node:stream";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { newHttpBatchRpcResponse, newHttpBatchRpcSession } from "capnweb";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Subscribed } from "../../../server/contract.ts";
import type { Hub } from "../../../server/hub.ts";
import { Publishing } from "../../../server/publishing.ts";
import { RpcApi } from "../../../server/transports/rpc/api.ts";
import { CallBudget } from "../../../server/transports/rpc/messages.ts";
import { answerBatch } from "../../../server/transports/rpc/batch.ts";
import {
  isPlainBatch,
  parseBatch,
  rehearse,
} from "../../../server/transports/rpc/batch-messages.ts";
import { errorOnWire } from "../../../server/transports/rpc/errors-on-wire.ts";
import { openFrames } from "../../support/frames.ts";
import { property } from "../../support/property.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { post, push } from "../../support/wire.ts";

const PULL = '["pull",1]';
const options = (hub: Hub) => ({ metricsIntervalMs: 1_000, publishing: new Publishing(hub) });

describe("the main object as id 1", () => {
  test.each([
    ["a call", '["push",["pipeline",1,["topics"],[]]]'],
    ["a call with spaces", ' [ "push" , [ "pipeline" , 1 , [ "topics" ] , [ ] ] ] '],
    ["a call written otherwise", '["push",["pipeline",1.0,["\\u0074opics"],[]]]'],
    ["a call with parameters", '["push",["pipeline",1,["read"],["topic",{"limit":1}]]]'],
  ])("is understood in the first message: %s", async (_name, line) => {
    const { url } = await startedLocal();
    for (const blank of ["", "\r\n\n"]) {
      const { status, text } = await post(url, `${blank}${line}\n${PULL}`);
      expect(status).toBe(200);
      expect(text).toMatch(/^\["resolve",1,/);
    }
  });

  test.each([
    ["without parameters", '["push",["pipeline",1,["topics"]]]'],
    ["without a path", '["push",["pipeline",1]]'],
    ["with something more in the call", '["push",["pipeline",1,["topics"],[],0]]'],
    ["with something more in the message", '["push",["pipeline",1,["topics"],[]],0]'],
    ["as a text", '["push",["pipeline","1",["topics"],[]]]'],
    ["as another id", '["push",["pipeline",2,["topics"],[]]]'],
    ["with a path that is no list", '["push",["pipeline",1,"topics",[]]]'],
    ["with parameters that are no list", '["push",["pipeline",1,["topics"],{}]]'],
    ["as an import", '["push",["import",1,["topics"],[]]]'],
    ["in a map", '["push",["remap",1,["topics"],[],[["undefined"]]]]'],
    ["in a stream", '["stream",["pipeline",1,["topics"],[]]]'],
    ["in a parameter", '["push",["pipeline",0,["read"],[["pipeline",1,["topics"],[]]]]]'],
    ["in a parameter as well", '["push",["pipeline",1,["read"],[["pipeline",1,["topics"],[]]]]]'],
    ["in a pull", PULL],
    ["in a release", '["release",1,1]'],
  ])("is unknown %s", async (_name, line) => {
    const server = await startedLocal();
    const { status } = await post(server.url, `${line}\n${push("subscribe", "topic")}`);
    expect(status).toBe(400);
    expect(server.hub.stats().subscriptions).toBe(0);
  });

  test("is the first call's result in the second message", async () => {
    const { url, hub } = await startedLocal();
    const lines = [push("subscribe", "topic"), '["push",["pipeline",1,["subscriptionId"]]]'];
    const { text } = await post(url, [...lines, '["pull",2]'].join("\n"));
    expect(text).toMatch(/^\["resolve",2,"topic_[\w-]{21}"\]$/);
    const notTheMain = '["push",["pipeline",1,["subscribe"],["topic"]]]';
    const answer = await post(url, [...lines, notTheMain, '["pull",3]'].join("\n"));
    expect(answer.text).toContain("'subscribe' is not a function.");
    expect(hub.stats().subscriptions).toBe(2);
  });

  test("is still the first call's result after a first message that called the main object 1", async () => {
    const { url } = await startedLocal();
    const lines = [
      '["push",["pipeline",1,["subscribe"],["topic"]]]',
      '["push",["pipeline",1,["cursor"]]]',
      '["pull",1]',
      '["pull",2]',
    ];
    const [first, second] = (await post(url, lines.join("\n"))).text.split("\n");
    const [, , { cursor }] = JSON.parse(first!) as [string, number, Subscribed];
    expect(second).toBe(`["resolve",2,"${cursor}"]`);
  });

  test("is unknown in a WebSocket session, which ends", async () => {
    const server = await startedLocal();
    const { send, next, closed } = await openFrames(server.socketUrl);
    send('["push",["pipeline",1,["subscribe"],["topic"]]]', PULL);
    expect(await next()).toEqual(["abort", expect.arrayContaining(["error"])]);
    expect((await closed).code).toBe(1002);
    expect(server.hub.stats().subscriptions).toBe(0);
  });
});

describe("what the library's own client sends", () => {
  test("is answered as the library's own server does, and nothing in it is rewritten", async () => {
    const server = await serverWithHistory();
    const record = await startRecorder(server);
    await property([program], async (steps) => {
      const body = await record(steps);
      if (body === undefined) return; // it has called nothing
      expect(parseBatch(body, 10_000)).toEqual(
        body.split("\n").map((line) => JSON.parse(line) as unknown),
      );
      expect(await ours(server, body)).toBe(await theirs(server, body));
    });
    expect(server.errors).toEqual([]);
  });

  test("is plain and needs no rehearsal, when calls have plain parameters", async () => {
    const server = await serverWithHistory();
    const record = await startRecorder(server);
    await property([fc.array(plainStep, { minLength: 1, maxLength: 10 })], async (steps) => {
      expect(isPlainBatch(parseBatch((await record(steps))!, 10_000))).toBe(true);
    });
  });
});

describe("a batch that is called plain", () => {
  test("passes the library's rehearsal, and runs to its end", async () => {
    const server = await serverWithHistory();
    let plain = 0;
    await property(
      [fc.array(message, { maxLength: 12 })],
      async (messages) => {
        const body = messages.map((line) => JSON.stringify(line)).join("\n");
        if (!isPlainBatch(parseBatch(body, 100))) return;
        plain += 1;
        await rehearse(parseBatch(body, 100), 1_000);
        // Theirs knows no main object 1.
        const lines = parseBatch(body, 100).map((line) => JSON.stringify(line));
        expect(await ours(server, body)).toBe(await theirs(server, lines.join("\n")));
      },
      { runs: 2_000 },
    );
    expect(plain).toBeGreaterThan(100); // or this test has looked at nothing
  });
});

describe("a batch that the rehearsal lets pass", () => {
  test("runs to its end without a protocol error", async () => {
    const server = await serverWithHistory();
    let passed = 0;
    await property(
      [fc.array(message, { maxLength: 12 })],
      async (messages) => {
        const body = messages.map((line) => JSON.stringify(line)).join("\n");
        const refused = await rehearse(parseBatch(body, 100), 1_000).then(
          () => false,
          () => true,
        );
        if (refused) return;
        passed += 1;
        await ours(server, body); // would throw
      },
      { runs: 2_000 },
    );
    expect(passed).toBeGreaterThan(100);
  });
});

// ── the two servers

async function serverWithHistory(): Promise<LocalServer> {
  const server = await startedLocal({ topics: ["a", "b", "system-metrics"] });
  for (const data of [1, "zwei", { three: [3, [null]] }, [], "☃"]) {
    await server.hub.publish("a", data);
    await server.hub.publish("b", { data }, { name: "named" });
  }
  return server;
}

function ours({ hub }: LocalServer, body: string): Promise<string> {
  return answerBatch(body, hub, options(hub), { socket: new PassThrough() });
}

async function theirs({ hub }: LocalServer, body: string): Promise<string> {
  const request = new Request("http://localhost/api", { method: "POST", body });
  const budget = new CallBudget({ maxCalls: 1_000, maxBytes: 1e9 });
  // Measuring takes a tick, which may change the order of the answers.
  budget.renew({ joined: !isPlainBatch(parseBatch(body, 10_000)) });
  const api = new RpcApi(hub, options(hub), budget);
  return (await newHttpBatchRpcResponse(request, api, { onSendError: errorOnWire })).text();
}

// ── the library's client, doing something random

/** One thing a program does, mostly with the result of an earlier one. */
type Step =
  | { kind: "call"; method: string; args: unknown[]; pull: boolean }
  | { kind: "property"; of: number; path: (string | number)[]; pull: boolean }
  | { kind: "pass"; method: string; of: number; path: string[]; wrap: boolean }
  | { kind: "map"; of: number; method: string }
  | { kind: "dispose"; of: number };

// Nothing in an answer may be random or depend on the time, so nothing that makes an id.
const METHODS = ["topics", "read", "poll", "pollMetricsUpdates", "unsubscribe", "no such method"];
const PATHS = ["events", "cursor", "topic", "data", "three", "nothing"];

const method = fc.constantFrom(...METHODS);
const of = fc.nat(20);

const plainValue = fc.oneof(
  fc.constantFrom("a", "b", "earliest", "latest", "__proto__", "", 0, 1, 1.5, null, true),
  fc.string({ unit: "binary" }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.record(
    { after: fc.constantFrom("earliest", "latest", "x.1"), limit: fc.integer({ min: 0, max: 9 }) },
    { requiredKeys: [], noNullPrototype: true }, // the library would not send such an object
  ),
  fc.array(fc.anything({ maxDepth: 2, values: [fc.string(), fc.boolean()] }), { maxLength: 3 }),
);

const richValue = fc.oneof(
  { weight: 3, arbitrary: plainValue },
  fc.date(),
  fc.bigInt(),
  fc.uint8Array(),
  fc.constantFrom(undefined, Number.NaN, Infinity, -Infinity, -0),
  fc.constantFrom(new RangeError("an error of the client"), new URL("https://x.example/")),
);

const call = (value: fc.Arbitrary<unknown>): fc.Arbitrary<Step> =>
  fc.record({
    kind: fc.constant("call" as const),
    method,
    args: fc.array(
      fc.oneof(value, fc.record({ x: value, limit: value }, { noNullPrototype: true })),
      { maxLength: 3 },
    ),
    pull: fc.boolean(),
  });

const plainStep = call(plainValue);

const program: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: call(richValue) },
    fc.record({
      kind: fc.constant("property" as const),
      of,
      path: fc.array(fc.oneof(fc.constantFrom(...PATHS), fc.nat(3)), { maxLength: 3 }),
      pull: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant("pass" as const),
      method,
      of,
      path: fc.array(fc.constantFrom(...PATHS), { maxLength: 2 }),
      wrap: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("map" as const), of, method }),
    fc.record({ kind: fc.constant("dispose" as const), of }),
  ),
  { maxLength: 12 },
);

/** A stub whose methods and properties are not known to the compiler. */
interface Callable extends PromiseLike<unknown>, Disposable {
  (...args: unknown[]): Stub;
  map(mapper: (item: Stub) => unknown): Stub;
}
type Stub = Callable & { readonly [name: string | number]: Stub };

/** @returns runs a program against the library's client; gives the body that it posted */
async function startRecorder(server: LocalServer) {
  let body: string | undefined;
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      body = Buffer.concat(chunks).toString();
      theirs(server, body).then(
        (answer) => response.end(answer),
        (error: Error) => response.writeHead(500).end(error.message),
      );
    });
  });
  await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const { port } = http.address() as AddressInfo;

  return async (steps: readonly Step[]): Promise<string | undefined> => {
    body = undefined;
    const api = newHttpBatchRpcSession(`http://127.0.0.1:${port}`) as unknown as Stub;
    const results: Stub[] = [];
    const answers: PromiseLike<unknown>[] = [];
    for (const step of steps) run(step, api, results, answers);
    // At least one, so that there is a request to wait for.
    answers.push(api["topics"]!());
    await Promise.allSettled(answers);
    return body;
  };
}

function run(step: Step, api: Stub, results: Stub[], answers: PromiseLike<unknown>[]): void {
  const earlier = "of" in step ? results[step.of % Math.max(1, results.length)] : undefined;
  if (step.kind === "call") {
    const result = api[step.method]!(...step.args);
    results.push(result);
    if (step.pull) answers.push(result);
  }
  if (!earlier) return;
  if (step.kind === "property") {
    const result = follow(earlier, step.path);
    if (step.pull) answers.push(result);
  } else if (step.kind === "pass") {
    const value = follow(earlier, step.path);
    const result = api[step.method]!(step.wrap ? { after: value, list: [value] } : value);
    results.push(result);
    answers.push(result);
  } else if (step.kind === "map") {
    const result = earlier.map((item) => ({ item, more: api[step.method]!(item["topic"]) }));
    answers.push(result);
  } else if (step.kind === "dispose") {
    earlier[Symbol.dispose]();
    // Passing it on after that is a bug of the program, and travels as a promise of the client's.
    results.splice(results.indexOf(earlier), 1);
  }
}

function follow(stub: Stub, path: readonly (string | number)[]): Stub {
  return path.reduce<Stub>((at, name) => at[name]!, stub);
}

// ── messages as somebody might send them who knows the protocol

const id = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 6 }) }, fc.constant(-1));
const notation = fc.constantFrom<unknown>(
  ["undefined"],
  ["date", 0],
  ["bigint", "1"],
  ["bytes", "AAAA"],
  ["export", -1],
  ["pipeline", 1],
  ["nonsense"],
  [[["inf"]]],
);
const argument = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<unknown>("a", 5, null, { limit: 1 }, [["a"]], [[]]) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  { weight: 1, arbitrary: notation },
);
const message: fc.Arbitrary<unknown[]> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(id, method, fc.array(argument, { maxLength: 2 }))
      .map(([main, name, args]) => ["push", ["pipeline", main, [name], args]]),
  },
  { weight: 4, arbitrary: id.map((of_) => ["pull", of_]) },
  { weight: 2, arbitrary: fc.tuple(id, fc.constantFrom(1, 1, 1, 2)).map((r) => ["release", ...r]) },
  { weight: 1, arbitrary: id.map((of_) => ["push", ["pipeline", of_, ["events"]]]) },
  { weight: 1, arbitrary: id.map((of_) => ["push", ["pipeline", of_, [], [], []]]) },
  { weight: 1, arbitrary: fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 3 }) },
);
