import assert from "node:assert/strict";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Config, parseConfig, USAGE, UsageError } from "../../server/config.ts";
import { DEFAULT_LIMITS } from "../../server/limits.ts";

type Env = Record<string, string | undefined>;

const BAD = "* \u0000"; // no setting takes this

const DEFAULTS: Config = {
  port: 8000,
  host: "localhost",
  metrics: "system",
  metricsIntervalMs: 1000,
  heartbeatMs: DEFAULT_LIMITS.heartbeatMs,
  historyEvents: DEFAULT_LIMITS.historyEvents,
  subscriptionCapacity: DEFAULT_LIMITS.subscriptionCapacity,
  leaseMs: DEFAULT_LIMITS.leaseMs,
  allowOrigins: [],
  publishToken: undefined,
};

interface Case {
  readonly field: keyof Config;
  readonly flag: string;
  readonly variable: string;
  /** Two texts, with the values they give. */
  readonly texts: readonly [string, string];
  readonly values: readonly [unknown, unknown];
}

const ORIGINS = ["https://a.example", "http://b.example:8080"] as const;
const SETTINGS: readonly Case[] = [
  setting("port", "--port", ["9000", "0"], [9000, 0]),
  setting("host", "--host", ["0.0.0.0", "::1"]),
  setting("metrics", "--metrics", ["simulated", "system"]),
  setting("metricsIntervalMs", "--metrics-interval", ["250", "5000"], [250, 5000]),
  setting("heartbeatMs", "--heartbeat", ["1.5", ".25"], [1500, 250]),
  setting("historyEvents", "--history", ["10", "50000"], [10, 50_000]),
  setting("subscriptionCapacity", "--subscription-capacity", ["1", "512"], [1, 512]),
  setting("leaseMs", "--lease", ["120", "0.5"], [120_000, 500]),
  setting("allowOrigins", "--allow-origin", ORIGINS, [[ORIGINS[0]], [ORIGINS[1]]]),
  setting("publishToken", "--publish-token", ["s3cret", "a+b/c=="]),
];

describe("a setting", () => {
  test("has the default that the limits name, without flags and environment", () => {
    expect(run([])).toEqual(DEFAULTS);
  });

  test.each(SETTINGS)("$field is set by $flag and by $variable", ({ field, flag, ...it }) => {
    for (const [index, text] of it.texts.entries()) {
      const config = { ...DEFAULTS, [field]: it.values[index] };
      expect(run([flag, text])).toEqual(config);
      expect(run([`${flag}=${text}`])).toEqual(config);
      expect(run([], { [it.variable]: text })).toEqual(config);
    }
  });

  test.each(SETTINGS)(
    "$flag wins over $variable, even over a bad one",
    ({ field, flag, ...it }) => {
      const config = { ...DEFAULTS, [field]: it.values[0] };
      expect(run([flag, it.texts[0]], { [it.variable]: it.texts[1] })).toEqual(config);
      expect(run([flag, it.texts[0]], { [it.variable]: BAD })).toEqual(config);
      expect(refusal([], { [it.variable]: BAD })).toContain(`variable \`${it.variable}\` to be`);
    },
  );

  test.each(SETTINGS)("$flag refuses an empty text, $variable ignores it", ({ flag, variable }) => {
    expect(refusal([flag, ""])).toContain(`Expected \`${flag}\` to be`);
    expect(refusal([`${flag}=`])).toContain(`Expected \`${flag}\` to be`);
    expect(run([], { [variable]: "" })).toEqual(DEFAULTS);
    expect(run([], { [variable]: " \t" })).toEqual(DEFAULTS);
  });

  test.each(SETTINGS)("$flag needs a value", ({ flag }) => {
    const message = `Expected a value after \`${flag}\``;
    expect(refusal([flag])).toContain(message);
    expect(refusal([flag, "--port", "1"])).toContain(message);
    expect(refusal([flag, "-x"])).toContain(message);
  });

  test.each(SETTINGS)("of several $flag the last counts, and all are checked", (it) => {
    const [one, other] = it.texts;
    const value = it.field === "allowOrigins" ? [one, other] : it.values[1];
    expect(run([it.flag, one, it.flag, other])).toEqual({ ...DEFAULTS, [it.field]: value });
    expect(refusal([it.flag, BAD, it.flag, other])).toContain(`Expected \`${it.flag}\` to be`);
  });

  test("has blanks around it cut off in the environment, as Windows and secret files leave them", () => {
    expect(run([], { PORT: "9000 ", PUBLISH_TOKEN: "s3cret\n" })).toMatchObject({
      port: 9000,
      publishToken: "s3cret",
    });
    expect(refusal(["--port", "9000 "])).toContain('got "9000 "');
  });
});

describe("a number", () => {
  const smallest = 0.01;
  test.each([
    ["--port", 0, 65_535, 1, "a whole number 0–65535"],
    ["--metrics-interval", 10, 3_600_000, 1, "a whole number of milliseconds 10–3600000"],
    ["--heartbeat", smallest, 3600, 0.001, "a number of seconds 0.01–3600"],
    ["--history", 1, 1_000_000, 1, "a whole number of events 1–1000000"],
    ["--subscription-capacity", 1, 1_000_000, 1, "a whole number of events 1–1000000"],
    ["--lease", smallest, 86_400, 0.001, "a number of seconds 0.01–86400"],
  ])("%s is %d–%d, neither less nor more", (flag, min, max, step, expected) => {
    for (const inside of [min, min + step, max - step, max]) {
      expect(() => run([flag, String(inside)])).not.toThrow();
    }
    for (const outside of [min - step, max + step, 1e300, "9".repeat(400)]) {
      expect(refusal([`${flag}=${outside}`])).toContain(`Expected \`${flag}\` to be ${expected}`);
    }
  });

  test.each(["abc", "1e3", "0x10", "+5", "-1", "1,000", "NaN", "Infinity", "٣", "1 2", "5\n", "."])(
    "is not %j",
    (text) => {
      expect(refusal(["--port", text])).toBe(
        `Expected \`--port\` to be a whole number 0–65535, got ${JSON.stringify(text)}`,
      );
      expect(refusal(["--lease", text])).toContain("Expected `--lease` to be a number of seconds");
    },
  );

  test("may have a fraction where it is a time in seconds, which is kept in whole milliseconds", () => {
    expect(run(["--heartbeat", "0.0104"]).heartbeatMs).toBe(10);
    expect(run(["--lease", "5."]).leaseMs).toBe(5000);
    expect(refusal(["--port", "80.5"])).toContain('got "80.5"');
    expect(refusal(["--history", "1.0"])).toContain('got "1.0"');
  });

  test("never makes a timer overflow", () => {
    const { heartbeatMs, leaseMs, metricsIntervalMs } = run(
      "--heartbeat 3600 --lease 86400 --metrics-interval 3600000".split(" "),
    );
    expect(Math.max(heartbeatMs, leaseMs, metricsIntervalMs)).toBeLessThan(2 ** 31);
  });
});

describe("a host", () => {
  test.each(["127.0.0.1", "::", "fe80::1%eth0", "my-box.example.com", "web_1", "a".repeat(63)])(
    "may be %s",
    (host) => expect(run(["--host", host]).host).toBe(host),
  );

  test("is kept in lower case, so that it is known as loopback", () => {
    expect(run(["--host", "LocalHost"]).host).toBe("localhost");
  });

  test.each([
    "http://localhost",
    "localhost:80",
    "[::1]",
    "a b",
    "a..b",
    "-a",
    "a/b",
    "a".repeat(64),
  ])("is not %s", (host) =>
    expect(refusal([`--host=${host}`])).toBe(
      `Expected \`--host\` to be a host name or an IP address, got ${JSON.stringify(host)}`,
    ),
  );
});

describe("an origin", () => {
  test.each([
    ["https://Example.COM", "https://example.com"],
    ["https://example.com:443", "https://example.com"],
    ["http://example.com:80", "http://example.com"],
    ["http://example.com:443", "http://example.com:443"],
    ["HTTP://[::1]:3000", "http://[::1]:3000"],
    ["https://münchen.example", "https://xn--mnchen-3ya.example"],
  ])("%s becomes %s, as browsers send it", (text, origin) => {
    expect(run(["--allow-origin", text]).allowOrigins).toEqual([origin]);
  });

  const wrong = `
    * null example.com https:// https://*.example.com ftp://a.example file:///etc https:a.example
    https://a.example/ https://a.example/b https://a.example? https://a.example#
    https://me@a.example https://a.example:99999 https://a.example\\b
    https://a,b https://a.example,https://b.example`;
  test.each([...wrong.trim().split(/\s+/), "https://a b", " https://a.example"])(
    "is not %s",
    (text) => {
      expect(refusal(["--allow-origin", text])).toBe(
        "Expected `--allow-origin` to be one origin such as https://example.com, " +
          `without a path and never *, got ${JSON.stringify(text)}`,
      );
    },
  );

  test("may be one of several, each kept once", () => {
    const [a, b] = ["https://a.example", "https://b.example"];
    expect(run(["--allow-origin", a, "--allow-origin", b, "--allow-origin", a])).toMatchObject({
      allowOrigins: [a, b],
    });
    for (const texts of [`${a},${b}`, `${a} ${b}`, ` ${a} ,\n${b},`]) {
      expect(run([], { ALLOW_ORIGIN: texts }).allowOrigins).toEqual([a, b]);
    }
    expect(run([], { ALLOW_ORIGIN: " , " }).allowOrigins).toEqual([]);
  });

  test("is checked one by one in the environment", () => {
    expect(refusal([], { ALLOW_ORIGIN: "https://a.example *" })).toMatch(
      /^Expected the environment variable `ALLOW_ORIGIN` to be .*, got "\*"$/,
    );
  });
});

describe("the publish token", () => {
  test("has 1–1024 characters that a header can carry", () => {
    for (const length of [1, 1023, 1024]) {
      expect(run(["--publish-token", "x".repeat(length)]).publishToken).toHaveLength(length);
    }
    for (const text of ["x".repeat(1025), "two words", "naïve", "a\u0000"]) {
      expect(refusal(["--publish-token", text])).toContain("1–1024 visible ASCII characters");
    }
  });

  test("may begin with a dash when written in one", () => {
    expect(run(["--publish-token=-abc"]).publishToken).toBe("-abc");
    expect(refusal(["--publish-token", "-abc"])).toBe(
      "Expected a value after `--publish-token`; " +
        "write `--publish-token=…` if it begins with a dash",
    );
  });

  test("is never shown in an error", () => {
    expect(refusal(["--publish-token", "hunter2 "])).not.toContain("hunter2");
    expect(refusal([], { PUBLISH_TOKEN: "hunter2 ö" })).not.toContain("hunter2");
  });
});

describe("the command line", () => {
  test.each([
    [["serve"]],
    [["serve", "--port", "1"]],
    [["--port", "1", "serve"]],
    [["--", "serve"]],
  ])("may name the command: %j", (argv) => expect(() => run(argv)).not.toThrow());

  test.each([
    [["start"], 'Unexpected argument "start"'],
    [["serve", "serve"], 'Unexpected argument "serve"'],
    [["9000"], 'Unexpected argument "9000"'],
    [["--port", "1", "2"], 'Unexpected argument "2"'],
    [[""], 'Unexpected argument ""'],
    [["-"], 'Unexpected argument "-"'],
    [["--", "--port", "1"], 'Unexpected argument "--port"'],
    [["--prot", "9000"], 'Unknown flag "--prot"'],
    [["-p", "9000"], 'Unknown flag "-p"'],
    [["--no-port"], 'Unknown flag "--no-port"'],
    [["--PORT", "1"], 'Unknown flag "--PORT"'],
    [["--__proto__=1"], 'Unknown flag "--__proto__"'],
    [["--constructor"], 'Unknown flag "--constructor"'],
    [["--help=yes"], "Expected no value after `--help`"],
    [["--version=1"], "Expected no value after `--version`"],
  ])("%j is refused: %s", (argv, message) => expect(refusal(argv)).toBe(message));

  test("is quoted in errors, but not for ever", () => {
    expect(refusal(["--host", "/".repeat(5000)]).length).toBeLessThan(200);
    expect(refusal(["/".repeat(5000)]).length).toBeLessThan(200);
    expect(refusal([`--${"x".repeat(5000)}`]).length).toBeLessThan(200);
  });

  test("names the variable, not the flag, when the environment is wrong", () => {
    expect(refusal([], { METRICS_INTERVAL: "9" })).toBe(
      "Expected the environment variable `METRICS_INTERVAL` to be " +
        'a whole number of milliseconds 10–3600000, got "9"',
    );
    expect(refusal([], { METRICS: "fake" })).toBe(
      'Expected the environment variable `METRICS` to be `system` or `simulated`, got "fake"',
    );
  });

  test("asks for help or the version, whatever else is wrong with it", () => {
    for (const argv of [["--help"], ["-h"], ["--port", "abc", "-h"], ["bogus", "--x", "--help"]]) {
      expect(parseConfig({ argv, env: { PORT: "abc" } }).kind).toBe("help");
    }
    expect(parseConfig({ argv: ["--version"], env: { PORT: "abc" } }).kind).toBe("version");
    expect(parseConfig({ argv: ["--version", "--help"], env: {} }).kind).toBe("help");
    expect(parseConfig({ argv: [], env: { HELP: "1", VERSION: "20" } }).kind).toBe("run");
  });

  test("gives a valid frozen config or a UsageError, whatever is typed", () => {
    const names = SETTINGS.map(({ flag }) => flag);
    const flags = [...names, "-h", "--help", "--version", "--", "serve"];
    const words = SETTINGS.flatMap(({ texts }) => texts);
    const word = fc.oneof(
      fc.constantFrom(...flags, ...words),
      fc.constantFrom(...flags, ...words).map((text) => `${text}=`),
      fc.tuple(fc.constantFrom(...flags), fc.string()).map(([flag, text]) => `${flag}=${text}`),
      fc.double().map(String),
      fc.string({ unit: "binary" }),
    );
    const variables = SETTINGS.map(({ variable }) => variable);
    const environment = fc.dictionary(fc.constantFrom(...variables), word);
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), environment, (argv, env) => {
        const outcome = attempt(argv, env);
        seen.add(outcome.kind);
        // What can be typed and comes out the same keeps every rule.
        if (outcome.kind === "run") assert.deepEqual(run(asFlags(outcome.config)), outcome.config);
      }),
      { numRuns: 2000 },
    );
    expect([...seen].toSorted()).toEqual(["help", "run", "usage error", "version"]);
  });
});

describe("the help", () => {
  const help = parseConfig({ argv: ["--help"], env: {} });
  const text = help.kind === "help" ? help.text : "";

  test.each(SETTINGS)("tells of $flag, $variable and the default", ({ field, flag, variable }) => {
    const row = text.split("\n").find((line) => line.startsWith(`  ${flag} `)) ?? "";
    const fallback = { heartbeatMs: "30", leaseMs: "60", allowOrigins: "", publishToken: "" };
    const [, , shownVariable, shownDefault = ""] = row.trim().split(/\s+/);
    expect(shownVariable).toBe(variable);
    expect(shownDefault).toBe({ ...DEFAULTS, ...fallback }[field]?.toString());
  });

  test("fits a terminal of 80 columns, and its columns are aligned", () => {
    const lines = text.split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    const rows = lines.filter((line) => /^(Flag| {2}--?[a-z])/.test(line));
    expect(rows).toHaveLength(SETTINGS.length + 3);
    for (const row of rows) expect(row.slice(31)).toMatch(/^.? {1,3}\S/);
    expect(text).toBe(text.trim());
  });

  test("has examples that work", () => {
    const [, examples = ""] = text.split("Examples:\n");
    const commands = examples.split("\n");
    expect(commands).toHaveLength(2);
    for (const command of commands) {
      const [assigned = "", flags = ""] = command.trim().split(/capnweb-push /);
      const [variable = "", value] = assigned.trim().split("=");
      expect(() => run(flags.split(" "), { [variable]: value })).not.toThrow();
    }
  });

  test("is named below every error", () => {
    expect(USAGE).toContain("capnweb-push [serve] [flags]");
    expect(USAGE).toContain("capnweb-push --help");
  });
});

test("is frozen, and leaves argv and env alone", () => {
  const argv = Object.freeze(["--port", "1"]);
  const config = run(argv, Object.freeze({ HOST: "::1" }));
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.allowOrigins)).toBe(true);
});

function run(argv: readonly string[], env: Env = {}): Config {
  const command = parseConfig({ argv, env });
  if (command.kind !== "run") throw new Error(`Expected a config, got ${command.kind}`);
  return command.config;
}

/** The message of the UsageError. */
function refusal(argv: readonly string[], env: Env = {}): string {
  const outcome = attempt(argv, env);
  if (outcome.kind === "usage error") return outcome.message;
  throw new Error(`Expected ${JSON.stringify({ argv, env })} to be refused`);
}

function attempt(argv: readonly string[], env: Env) {
  try {
    return parseConfig({ argv, env });
  } catch (error) {
    if (!(error instanceof UsageError) || error.message === "") throw error;
    return { kind: "usage error", message: error.message } as const;
  }
}

function asFlags(config: Config): string[] {
  return [
    `--port=${config.port}`,
    `--host=${config.host}`,
    `--metrics=${config.metrics}`,
    `--metrics-interval=${config.metricsIntervalMs}`,
    `--heartbeat=${config.heartbeatMs / 1000}`,
    `--history=${config.historyEvents}`,
    `--subscription-capacity=${config.subscriptionCapacity}`,
    `--lease=${config.leaseMs / 1000}`,
    ...config.allowOrigins.map((origin) => `--allow-origin=${origin}`),
    ...(config.publishToken === undefined ? [] : [`--publish-token=${config.publishToken}`]),
  ];
}

function setting(
  field: keyof Config,
  flag: string,
  texts: Case["texts"],
  values: Case["values"] = texts,
): Case {
  return { field, flag, variable: flag.slice(2).toUpperCase().replaceAll("-", "_"), texts, values };
}
