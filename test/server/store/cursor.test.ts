import fc from "fast-check";
import { expect, test } from "vitest";
import { formatCursor, parseCursor } from "../../../server/store/cursor.ts";

test("every cursor comes back from its text", () => {
  const epoch = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  const offset = fc.integer({ min: 0, max: 999_999_999_999_999 });
  fc.assert(
    fc.property(epoch, offset, (e, o) => {
      expect(parseCursor(formatCursor({ epoch: e, offset: o }))).toEqual({ epoch: e, offset: o });
    }),
  );
});

test.each([
  "",
  ".",
  "e",
  "e.",
  ".1",
  "e.01",
  "e.-1",
  "e.1.5",
  "e.1 ",
  "e.1\n",
  "é.1",
  "e.1e3",
  "e.NaN",
  `${"e".repeat(65)}.1`,
  "e.1000000000000000",
  "latest",
  undefined,
  null,
  1,
  {},
  ["e.1"],
])("refuses %j", (text) => {
  expect(() => parseCursor(text)).toThrow(expect.objectContaining({ code: "invalid_cursor" }));
});
