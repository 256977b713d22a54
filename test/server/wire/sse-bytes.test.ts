/** Whatever a name and its data are, an EventSource reads them back. */
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openChunks } from "../../support/chunks.ts";
import { property } from "../../support/property.ts";
import { startedLocal } from "../../support/server.ts";

const CHARACTERS = [" ", ":", "\u2028", "\u0085", "\ufeff", "\t", "é", "😀", "x"];
const name = fc.option(
  fc
    .array(fc.constantFrom(...CHARACTERS), { minLength: 1, maxLength: 8 })
    .map((characters) => characters.join("")),
  { nil: undefined },
);

test("over one stream, events of any name and any data", async () => {
  const server = await startedLocal();
  const { next, socket } = await openChunks(`${server.url}/topics/topic`, {
    Accept: "text/event-stream",
  });
  const got: { event: string | undefined; data: unknown; id: string | undefined }[] = [];
  const parser = createParser({
    onEvent: ({ event, data, id }) => got.push({ event, data: JSON.parse(data) as unknown, id }),
  });
  await property(
    [fc.array(fc.tuple(name, fc.jsonValue()), { minLength: 1, maxLength: 4 })],
    async (sent) => {
      got.length = 0;
      const expected = [];
      for (const [event, data] of sent) {
        const id = await server.hub.publish(
          "topic",
          data,
          event === undefined ? {} : { name: event },
        );
        expected.push({ event, data: JSON.parse(JSON.stringify(data)) as unknown, id });
      }
      while (got.length < expected.length) parser.feed((await next())!);
      expect(got).toEqual(expected);
    },
  );
  socket.destroy();
});
