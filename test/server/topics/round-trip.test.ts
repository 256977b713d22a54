/** What is published over the wire comes back equal, over every transport. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Batch } from "../../../server/contract.ts";
import { property } from "../../support/property.ts";
import { batch } from "../../support/rpc.ts";
import { postEvent, startedPublishing, TOKEN } from "../../support/topic-requests.ts";
import { topicReaders } from "../../support/topic-readers.ts";

const STRANGE = [
  "\u0000",
  "\ufeff",
  "\u2028",
  "\r",
  "\n",
  "\r\n\r\n",
  "\ud800",
  "\udc00x",
  "\u{10ffff}",
  "data: x\n\n",
  "event: gap",
  "__proto__",
  "constructor",
  "toJSON",
  '"',
  "\\",
  "</script>",
];

const text = fc.oneof(fc.constantFrom(...STRANGE), fc.string({ unit: "binary", maxLength: 10 }));
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(
      text,
      fc.double({ noDefaultInfinity: true, noNaN: true }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie("json")), { maxLength: 4 }).map((entries) => {
      const object = Object.create(null) as Record<string, unknown>;
      for (const [key, value] of entries) object[key] = value;
      return object;
    }),
  ),
}));

const name = fc
  .array(
    fc.oneof(
      fc.constantFrom(" ", ":", "é", "\u{1f600}", "\ufeff", "\u2028", "data", "#", "%0A", "&", "+"),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => Buffer.from(parts.join("").replaceAll(/[\r\n\0]/g, "")).toString())
  .filter((some) => some.length > 0 && some.length <= 128);

test("any JSON and any name, published with POST, come back equal over every transport", async () => {
  const server = await startedPublishing();
  await property(
    [json, fc.option(name, { nil: undefined })],
    async (data, event) => {
      const { cursor: before } = await server.hub.read("topic", { after: "latest" });
      const sent = JSON.stringify(data);
      const { status, text: answer } = await postEvent(server, sent, {
        ...(event !== undefined && { name: event }),
      });
      expect(status).toBe(201);
      const { cursor } = JSON.parse(answer) as { cursor: string };
      for (const [transport, openReader] of topicReaders) {
        const reader = await openReader(server, { after: before });
        const given = await reader.next();
        await reader.close();
        expect({ transport, ...shown(given) }).toEqual({ transport, cursor, data: sent, event });
      }
    },
    { runs: 60 },
  );
});

test("any JSON, published over Cap'n Web, comes back equal from a poll", async () => {
  const server = await startedPublishing();
  // Cap'n Web drops the keys that every object inherits, by design.
  const inherited = Object.getOwnPropertyNames(Object.prototype).concat("toJSON");
  const plain = json.filter((data) => !inherited.some((key) => JSON.stringify(data).includes(key)));
  await property(
    [plain],
    async (data) => {
      const api = batch(server.url);
      const sent = JSON.stringify(data);
      const { cursor } = await api.authenticate(TOKEN).publish("topic", JSON.parse(sent));
      const { text: answer } = await get(server.url, "?last=1");
      expect(shown(JSON.parse(answer) as Batch)).toEqual({ cursor, data: sent });
    },
    { runs: 60 },
  );
});

test("an event of 64 KiB comes back whole over every transport", async () => {
  const server = await startedPublishing();
  const body = JSON.stringify("é\u0000x".repeat(7_281)); // nine bytes each
  expect(Buffer.byteLength(body)).toBe(65_531);
  const { cursor: before } = await server.hub.read("topic", { after: "latest" });
  expect((await postEvent(server, body)).status).toBe(201);
  for (const [, openReader] of topicReaders) {
    const reader = await openReader(server, { after: before });
    const { events } = await reader.next();
    expect(events[0]!.data).toBe(JSON.parse(body));
    await reader.close();
  }
});

async function get(url: string, query: string) {
  const answer = await fetch(`${url}/topics/topic${query}`);
  return { text: await answer.text() };
}

/** JSON text tells `__proto__` from a prototype, and -0 is 0 there. */
function shown({ events, cursor }: Batch) {
  expect(events).toHaveLength(1);
  const [{ data, name: event }] = events as [Batch["events"][number]];
  return { cursor, data: JSON.stringify(data), ...(event !== undefined && { event }) };
}
