/**
 * Random input for a Cap'n Web server: noise, JSON, and messages that are nearly right, from the
 * seed in `property.ts`.
 */
import fc from "fast-check";

const METHODS = ["subscribeSystemMetrics", "pollMetricsUpdates", "unsubscribe", "topics", "read"];
const NAMES = [...METHODS, "subscribe", "poll", "tail", "listen", "constructor", "__proto__", ""];

const STRANGE = [
  "__proto__",
  "constructor",
  "prototype",
  "toJSON",
  "\u0000",
  "\ud800",
  "\ufeff",
  "😀".repeat(10),
  "system-metrics",
];

const id = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -3, max: 5 }) },
  { weight: 1, arbitrary: fc.constantFrom(-0, 1.5, 2 ** 31, 2 ** 53, 1e308, -1e308, "1", null) },
);
/** What a call is made on: the main object, mostly. */
const main = fc.oneof(
  { weight: 5, arbitrary: fc.constant<unknown>(0) },
  { weight: 1, arbitrary: id },
);
const key = fc.oneof(fc.constantFrom(...STRANGE), fc.string({ maxLength: 5 }));
const path = fc.array(fc.oneof(fc.constantFrom(...NAMES), id), { maxLength: 3 });

/** The library's notation, right and wrong, nested. */
const { expression } = fc.letrec<{ expression: unknown; args: unknown[] }>((tie) => ({
  args: fc.array(tie("expression"), { maxLength: 3 }),
  expression: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(
      fc.constantFrom<unknown>("topic", "system-metrics", "earliest", 0, 1, null, true, ...STRANGE),
      fc.double(),
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.record({ after: key, limit: id, waitMs: fc.constantFrom(0, 1, -1, 1e9), capacity: id }),
    ),
    fc.tuple(fc.constantFrom("pipeline", "import"), main, path, tie("args")),
    fc.tuple(fc.constantFrom("pipeline", "import", "export", "promise", "writable"), main),
    fc.tuple(fc.constantFrom("date", "bigint", "bytes", "url", "undefined", "inf", "nan"), key),
    fc.tuple(fc.constantFrom("error", "headers", "request", "blob", ""), key, tie("expression")),
    fc.tuple(fc.constant("error"), key, key, fc.constant(null), tie("expression")),
    fc.tuple(
      fc.constant("response"),
      tie("expression"),
      fc.dictionary(key, tie("expression"), { maxKeys: 2 }),
    ),
    tie("args").map((items) => [items]),
    fc.dictionary(key, tie("expression"), { maxKeys: 3 }),
  ),
}));

/** JSON as a parameter; a list is doubled, as the library wants it. */
const plain = fc.oneof(
  fc.constantFrom<unknown>("topic", "system-metrics", "earliest", 0, 1, null, true, ...STRANGE),
  fc.record({ after: key, limit: id, waitMs: fc.constantFrom(0, 1, -1, 1e9) }),
  fc.dictionary(key, fc.oneof(fc.double(), fc.string({ unit: "binary" })), { maxKeys: 3 }),
  fc.array(fc.oneof(key, fc.double()), { maxLength: 3 }).map((items) => [items]),
);

const message = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(main, fc.constantFrom(...NAMES), fc.array(plain, { maxLength: 3 }))
      .map(([on, name, args]) => ["push", ["pipeline", on, [name], args]]),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom("push", "push", "stream"), main, path, fc.array(expression))
      .map(([kind, on, names, args]) => [kind, ["pipeline", on, names, args]]),
  },
  { weight: 6, arbitrary: fc.oneof(fc.constant(1), id).map((of) => ["pull", of]) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("release"), id, id) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("push", "stream", "abort"), expression) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("resolve", "reject"), id, expression) },
  { weight: 1, arbitrary: fc.array(expression, { maxLength: 3 }) },
);

const wellFormed = message.map((value) => JSON.stringify(value) ?? "null");

/** A text with some of its characters lost, doubled or replaced. */
const mutated = fc
  .tuple(
    wellFormed,
    fc.array(
      fc.tuple(fc.nat(), fc.constantFrom("", "[", "]", '"', "\\", ",", "9", "{", "\ud800")),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  )
  .map(([text, changes]) =>
    changes.reduce((changed, [place, by]) => {
      const at = place % (changed.length + 1);
      return changed.slice(0, at) + by + changed.slice(at + (place % 2));
    }, text),
  );

const nested = fc
  .tuple(fc.constantFrom(["[", "]"], ["[[", "]]"], ['{"a":', "}"]), fc.integer({ max: 9 }))
  .map(([[open, close], power]) => open.repeat(2 ** (power + 4)) + close.repeat(2 ** (power + 4)))
  .chain((text) =>
    fc.constantFrom(text, `["push",${text}]`, `["push",["pipeline",0,["read"],[${text}]]]`),
  );

const huge = fc
  .constantFrom("1e999", "-1e999", "9".repeat(400), "0.1".padEnd(400, "1"), "1e-999", "-0")
  .chain((text) =>
    fc.constantFrom(`["pull",${text}]`, `["release",${text},1]`, `["push",${text}]`),
  );

/** One line of a batch, or one frame of a session. */
export const line: fc.Arbitrary<string> = fc.oneof(
  { weight: 16, arbitrary: wellFormed },
  { weight: 3, arbitrary: mutated },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  { weight: 1, arbitrary: huge },
  { weight: 1, arbitrary: nested },
);

const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

export const body: fc.Arbitrary<string | Buffer> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .tuple(fc.array(line, { maxLength: 5 }), fc.constantFrom("\n", "\r\n", "\n\n"))
      .map(([lines, newline]) => lines.join(newline)),
  },
  { weight: 1, arbitrary: noise },
);

export const frame: fc.Arbitrary<string | Buffer> = fc.oneof(
  { weight: 19, arbitrary: line },
  { weight: 1, arbitrary: noise },
);
