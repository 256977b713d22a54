import { describe, expect, it } from "vitest";
import type { Place, TopicBatch, Transport } from "../../../client/transport.ts";
import { Cuttable } from "../../../static/transports/cuttable.ts";

/** Gives one batch and then waits; remembers from where it was opened. */
function quietTransport() {
  const opened: Place[] = [];
  const transport: Transport = {
    name: "quiet",
    async *open(place, signal): AsyncGenerator<TopicBatch> {
      opened.push(place);
      yield { events: [], cursor: "e.1" };
      await new Promise((_, reject) => {
        if (signal.aborted) reject(signal.reason as Error);
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    },
  };
  return { opened, transport };
}

describe("Cuttable", () => {
  it("breaks what is open with a failure that is worth another try", async () => {
    const { transport } = quietTransport();
    const cuttable = new Cuttable(transport);
    const reading = cuttable.open({}, new AbortController().signal);
    expect((await reading.next()).value).toEqual({ events: [], cursor: "e.1" });
    const next = reading.next();
    cuttable.cut();
    await expect(next).rejects.toMatchObject({ code: "connection_lost", canRetry: true });
  });

  it("opens nothing until it is mended", async () => {
    const { transport, opened } = quietTransport();
    const cuttable = new Cuttable(transport);
    cuttable.cut();
    const first = cuttable.open({ after: "e.1" }, new AbortController().signal).next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(opened).toEqual([]);
    cuttable.mend();
    await first;
    expect(opened).toEqual([{ after: "e.1" }]);
  });

  it("can be left while it is cut, and while it is open", async () => {
    const cuttable = new Cuttable(quietTransport().transport);
    const reason = new Error("left");
    const leaving = new AbortController();
    const reading = cuttable.open({}, leaving.signal);
    await reading.next();
    const waiting = reading.next();
    leaving.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    cuttable.cut();
    await expect(cuttable.open({}, leaving.signal).next()).rejects.toBe(reason);
    cuttable.mend();
    cuttable.mend();
    await expect(cuttable.open({}, leaving.signal).next()).resolves.toBeDefined();
  });
});
