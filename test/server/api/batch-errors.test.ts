/**
 * A batch that breaks the protocol is refused as a whole: 400 and a reason in plain text, and
 * nothing of it has run, not even the good call in its first line.
 */
import { describe, expect, test } from "vitest";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { type Answer, call, post, push } from "../../support/wire.ts";

const GOOD = push("subscribe", "topic");
const PULL = '["pull",1]';

/** Posts the lines and checks that they were refused and left nothing behind. */
async function refused(lines: readonly string[], status = 400): Promise<string> {
  const server = await startedLocal();
  const answer = await post(server.url, lines.join("\n"));
  await expectNothingHasRun(server, answer, status);
  return answer.text;
}

async function expectNothingHasRun(server: LocalServer, answer: Answer, status: number) {
  expect({ status: answer.status, text: answer.text }).toEqual({
    status,
    text: expect.stringMatching(/^[^\n]{5,400}$/) as string,
  });
  expect(answer.headers["content-type"]).toBe("text/plain; charset=utf-8");
  expect(answer.text).not.toMatch(/\bat \S+:\d+|node_modules|\.[jt]s:/);
  // Nor does it run later: a round trip after it, there is that trip's subscription only.
  await call(server.url, "subscribe", "topic");
  expect(server.hub.stats()).toMatchObject({ subscriptions: 1, readers: 0 });
  expect(server.errors).toEqual([]);
}

describe("a line that is no message", () => {
  const bad = ["{", "pull", '["pull",1', '["pull",1]]', "[NaN]", '["pull",1] ["pull",1]', "\u0000"];
  test.each(bad)("refuses %j in the last line", async (line) => {
    expect(await refused([GOOD, PULL, line])).toMatch(/^message 3: /);
  });

  test.each(bad)("refuses %j in the middle", async (line) => {
    expect(await refused([GOOD, line, PULL])).toMatch(/^message 2: /);
  });

  test.each(bad)("refuses %j in the first line", async (line) => {
    expect(await refused([line, GOOD, PULL])).toMatch(/^message 1: /);
  });

  test.each(["{}", '"push"', "5", "null", "true", '{"0":"pull","1":1}'])(
    "refuses %j, which is JSON and no array",
    async (line) => {
      expect(await refused([GOOD, line])).toBe("message 2: Expected a JSON array");
    },
  );

  test("a body in UTF-16 or with a byte order mark is refused", async () => {
    for (const bytes of [Buffer.from(GOOD, "utf16le"), Buffer.from(`\ufeff${GOOD}`)]) {
      const server = await startedLocal();
      await expectNothingHasRun(server, await post(server.url, bytes), 400);
    }
  });

  test("invalid UTF-8 is refused", async () => {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      const server = await startedLocal();
      const body = Buffer.concat([Buffer.from(`${GOOD}\n["push","`), Buffer.from(bytes)]);
      const answer = await post(server.url, Buffer.concat([body, Buffer.from('"]')]));
      await expectNothingHasRun(server, answer, 400);
      expect(answer.text).toBe("Expected a body in UTF-8");
    }
  });
});

describe("an unknown message", () => {
  test.each([
    "[]",
    "[[]]",
    "[null]",
    '["nonsense"]',
    '["PUSH",["pipeline",0,["topics"],[]]]',
    '["push"]',
    '["pull"]',
    '["pull","1"]',
    '["pull",null]',
    '["pull",[1]]',
    '["release"]',
    '["release",1]',
    '["release","1",1]',
    '["release",1,"1"]',
    '["resolve"]',
    '["resolve",1]',
    '["reject","1",null]',
    '["stream"]',
    '["pipe"]',
    '["pipe",1]',
    '["abort"]',
    '["abort",null]',
    '["abort",["error","Error","bye"]]',
    '["__proto__"]',
    '["constructor",1]',
  ])("%s is refused", async (line) => {
    await refused([GOOD, PULL, line]);
    await refused([line, GOOD, PULL]);
  });
});

describe("an id that does not exist", () => {
  test.each([
    ["pull of what was never called", ['["pull",2]']],
    ["pull of a negative id", ['["pull",-1]']],
    ["pull of a fraction", ['["pull",1.5]']],
    ["pull of a huge id", ['["pull",1e308]']],
    ["pull before the call", ['["pull",2]', push("topics")]],
    ["release of what was never called", ['["release",2,1]']],
    ["release of a negative id", ['["release",-1,1]']],
    ["release twice", ['["release",1,1]', '["release",1,1]']],
    ["release of two references where there is one", ['["release",1,2]']],
    ["release of no reference", ['["release",1,0]']],
    ["release of a negative number of references", ['["release",1,-1]']],
    ["release of half a reference", ['["release",1,0.5]']],
    ["pull after the release", ['["release",1,1]', PULL]],
    ["pipelining on what was never called", ['["push",["pipeline",7,["x"],[]]]', '["pull",2]']],
    ["pipelining on itself", ['["push",["pipeline",2,["x"],[]]]', '["pull",2]']],
    ["pipelining after the release", ['["release",1,1]', '["push",["pipeline",1,["x"],[]]]']],
    ["an argument that was never called", [push("poll", ["pipeline", 9])]],
    ["an argument after the release", ['["release",1,1]', push("poll", ["pipeline", 1])]],
    ["a capture that does not exist", ['["push",["remap",1,[],[["import",9]],[["undefined"]]]]']],
    ["release of the main object twice", ['["release",0,1]', '["release",0,1]']],
    ["a call after the main object was released", ['["release",0,1]', push("topics")]],
    ["a streamed call's release, which releases itself", [streamed("topics"), '["release",2,1]']],
    ["a streamed call's release, later", [streamed("topics"), ...topics(50), '["release",2,1]']],
    ["a streamed call's pull, later", [streamed("topics"), ...topics(50), '["pull",2]']],
    [
      "a streamed held poll's release",
      [
        '["push",["pipeline",1,["subscriptionId"]]]',
        JSON.stringify(["stream", ["pipeline", 0, ["poll"], [["pipeline", 2], { waitMs: 50 }]]]),
        ...topics(50),
        '["release",3,1]',
      ],
    ],
  ])("%s is refused", async (_name, lines) => {
    await refused([GOOD, PULL, ...lines]);
  });
});

describe("a bad expression", () => {
  test.each([
    '["nonsense"]',
    "[]",
    "[1,2]",
    '["date"]',
    '["date","today"]',
    '["bigint",5]',
    '["bigint","five"]',
    '["bytes",5]',
    '["bytes","AAAA","NoSuchArray"]',
    '["bytes","AAAA","Float64Array"]',
    '["error"]',
    '["error","Error",5]',
    '["undefined",1]',
    '["url","no url"]',
    '["headers",[["bad name","x"]]]',
    '["request","http://x",{"method":"TRACE"}]',
    '["response",5,{}]',
    '["blob","text/plain",["readable",1]]',
    '["readable",1]',
    '["readable",-1]',
    '["export"]',
    '["export","1"]',
    '["promise","1"]',
    '["import","0"]',
    '["import",99]',
    '["pipeline"]',
    '["pipeline","0",["topics"],[]]',
    '["pipeline",0,"topics",[]]',
    '["pipeline",0,[null],[]]',
    '["pipeline",0,["topics"],{}]',
    '["pipeline",0,["topics"],[],1]',
    '["remap",0,[],[]]',
    '["remap",0,[],[["export"]],[1]]',
    '["writable","1"]',
    '[["a"],["b"]]',
  ])("%s is refused as an argument, deep inside one, and as the call itself", async (value) => {
    await refused([GOOD, PULL, `["push",["pipeline",0,["read"],[${value}]]]`]);
    const deep = `{"after":{"x":[[1,${value}]]}}`;
    await refused([GOOD, PULL, `["push",["pipeline",0,["read"],["topic",${deep}]]]`]);
    await refused([GOOD, PULL, `["push",${value}]`]);
  });
});

describe("deep nesting", () => {
  const shapes: [string, (depth: number) => string][] = [
    ["lists", (depth) => `${"[[".repeat(depth)}${"]]".repeat(depth)}`],
    ["objects", (depth) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`],
    ["errors", (d) => `${'["error","Error","",null,{"a":'.repeat(d)}1${"}]".repeat(d)}`],
  ];
  describe.each(shapes)("of %s", (_name, nest) => {
    test.each([300, 10_000])("%i deep is refused", async (depth) => {
      await refused([GOOD, PULL, `["push",["pipeline",0,["read"],["topic",${nest(depth)}]]]`]);
    });

    test("200 deep is a call like any other", async () => {
      const { url } = await startedLocal();
      const line = `["push",["pipeline",0,["read"],[${nest(200)}]]]`;
      const { status, text } = await post(url, `${line}\n${PULL}`);
      expect(status).toBe(200);
      expect(text).toContain('"code":"invalid_request"');
    });
  });

  test.each([
    ["calls in arguments", '["pipeline",0,["read"],[', "]]"],
    ["lists that are no message", "[", "]"],
  ])("%s, 10,000 deep, is refused", async (_name, open, close) => {
    const value = `${open.repeat(10_000)}${close.repeat(10_000)}`;
    await refused([GOOD, PULL, `["push",${value}]`]);
    await refused([GOOD, PULL, value]);
  });
});

describe("a batch that is too large", () => {
  test.each([9, 10, 11])("has at most 10 messages: %i", async (count) => {
    const server = await startedLocal({ limits: { batchMessages: 10 } });
    const lines = Array.from({ length: count - 1 }, () => push("topics"));
    const answer = await post(server.url, [GOOD, "", ...lines, "\r"].join("\n"));
    if (count > 10) {
      await expectNothingHasRun(server, answer, 413);
      expect(answer.text).toBe("Expected at most 10 messages");
    } else {
      expect(answer).toMatchObject({ status: 200, text: "" });
      expect(server.hub.stats().subscriptions).toBe(1);
    }
  });

  test("blank lines are no messages, however many", async () => {
    const { url } = await startedLocal();
    const { status, text } = await post(url, `${"\n".repeat(100_000)}${push("topics")}\n${PULL}`);
    expect(status).toBe(200);
    expect(text).toMatch(/^\["resolve",1,/);
  });

  test("the reason of a refusal is short, whatever was sent", async () => {
    const text = await refused([GOOD, `["nonsense","${"x".repeat(100_000)}"]`]);
    expect(text.length).toBeLessThan(400);
  });
});

describe("an answer that is too large", () => {
  const limits = { answerBytes: 10_000 };

  test("is an error instead", async () => {
    const { url, hub } = await startedLocal({ limits });
    await hub.publish("topic", "x".repeat(9_000));
    const one = [push("read", "topic"), PULL];
    expect((await post(url, one.join("\n"))).status).toBe(200);
    const two = [push("read", "topic"), push("read", "topic"), PULL, '["pull",2]'];
    expect(await post(url, two.join("\n"))).toMatchObject({
      status: 503,
      text: "Expected an answer of at most 10000 bytes",
    });
    expect((await post(url, one.join("\n"))).status).toBe(200);
  });

  test("is counted in bytes, not in letters", async () => {
    const { url, hub } = await startedLocal({ limits });
    await hub.publish("topic", "€".repeat(5_000)); // 15,000 bytes
    const { status } = await post(url, `${push("read", "topic")}\n${PULL}`);
    expect(status).toBe(503);
  });
});

test("a batch that never finishes is ended, and tells so", async () => {
  const { url, hub, errors } = await startedLocal({ limits: { batchMs: 50 } });
  const { subscriptionId } = await call<{ subscriptionId: string }>(url, "subscribe", "topic");
  const lines = [
    push("topics"),
    push("poll", subscriptionId, { waitMs: 30_000 }),
    PULL,
    '["pull",2]',
  ];
  expect(await post(url, lines.join("\n"))).toMatchObject({
    status: 503,
    text: "Expected the batch to be done in 50 ms",
  });
  expect(hub.stats()).toMatchObject({ readers: 0, heldPolls: 0 });
  expect(errors).toEqual([]);
});

test("a batch whose polls last longer than it may is ended, and its polls with it", async () => {
  const { url, hub } = await startedLocal({ limits: { batchMs: 50 } });
  const { subscriptionId } = await call<{ subscriptionId: string }>(url, "subscribe", "topic");
  const lines = [push("poll", subscriptionId, { waitMs: 30_000 }), PULL];
  expect(await post(url, lines.join("\n"))).toMatchObject({ status: 503 });
  await hub.publish("topic", "kept");
  expect(await call(url, "poll", subscriptionId)).toMatchObject({ events: [[{ data: "kept" }]] });
});

function streamed(method: string): string {
  return JSON.stringify(["stream", ["pipeline", 0, [method], []]]);
}

function topics(count: number): string[] {
  return Array.from({ length: count }, () => push("topics"));
}
