/** The two ways to number what goes to a client, against lists that keep everything. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Ids } from "../../../server/transports/rpc/ids.ts";
import { property } from "../../support/property.ts";

type Step =
  | { readonly kind: "take" | "keep" }
  | { readonly kind: "send"; readonly once: boolean }
  | { readonly kind: "forget" | "answered"; readonly id: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom("take" as const, "keep" as const) }),
  fc.record({ kind: fc.constant("send" as const), once: fc.boolean() }),
  fc.record({
    kind: fc.constantFrom("forget" as const, "answered" as const),
    id: fc.integer({ min: 1, max: 30 }),
  }),
);

interface Message {
  library?: number;
  wire?: number;
  once?: boolean;
  gone?: boolean;
}

test("an id is translated there and back, as long as its message is not released", () =>
  property([fc.array(step, { maxLength: 60 })], (steps) => {
    const ids = new Ids();
    const all: Message[] = [];
    let libraryIds = 0;
    let wireIds = 0;
    const find = (which: "library" | "wire", id: number) =>
      all.find((message) => message[which] === id && !message.gone);
    for (const { kind, ...rest } of steps) {
      const { id, once } = rest as { id: number; once: boolean };
      if (kind === "take") all.push({ wire: (wireIds += 1) });
      if (kind === "keep") all.push({ library: (libraryIds += 1) });
      if (kind === "send") {
        all.push({ library: (libraryIds += 1), wire: (wireIds += 1), once });
        ids.send({ once });
      }
      if (kind === "take") expect(ids.take()).toBe(wireIds);
      if (kind === "keep") expect(ids.keep()).toBe(libraryIds);
      if (kind === "forget") {
        const message = find("library", id);
        if (message?.wire !== undefined) message.gone = true;
        ids.forget(id);
      }
      if (kind === "answered") {
        const message = find("wire", id);
        expect(ids.answered(id)).toBe(message?.library);
        if (message?.once) message.gone = true;
      }
      for (let other = 1; other <= libraryIds + 1; other += 1) {
        expect(ids.toWire(other)).toBe(find("library", other)?.wire);
      }
      const live = all.filter(({ library, wire, gone }) => library && wire && !gone);
      expect(ids.size).toBe(live.length);
    }
  }));
