/** Whoever joins is cheap when the head of the answer and the first batch leave in one write. */
import { expect, test, vi } from "vitest";
import { serverEnds } from "../../support/server-ends.ts";
import { startedLocal } from "../../support/server.ts";
import { openTcp, readUntil } from "../../support/wire.ts";

test.each(["text/event-stream", "application/x-ndjson"])(
  "%s: the head and the first batch leave in one write",
  async (type) => {
    const server = await startedLocal();
    for (let number = 1; number <= 5; number += 1) await server.hub.publish("topic", number);
    const ends = serverEnds();
    const client = await openTcp(server.url);
    await expect.poll(() => ends).toHaveLength(1);
    const { socket } = ends[0]!;
    const single = vi.spyOn(socket, "_write");
    const several = vi.spyOn(socket as Required<typeof socket>, "_writev");
    client.write(`GET /topics/topic?last=5 HTTP/1.1\r\nHost: localhost\r\nAccept: ${type}\r\n\r\n`);
    const text = await readUntil(client, /data[^]{2,5}5\D/);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect([single.mock.calls.length, several.mock.calls.length]).toEqual([0, 1]);
    client.destroy();
  },
);
