/** The rules of the house, read off the sources: imports go down only, and never in a circle. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

interface Import {
  readonly from: string;
  /** A path in this repository, or a package's name. */
  readonly to: string;
  readonly typeOnly: boolean;
}

const files = sources();
const imports = files.flatMap(importsOf);

test("finds the sources it is about to judge", () => {
  expect(files).toContain("server/hub.ts");
  expect(imports).toContainEqual({
    from: "server/hub.ts",
    to: "server/errors.ts",
    typeOnly: false,
  });
  expect(imports).toContainEqual({
    from: "server/hub.ts",
    to: "server/contract.ts",
    typeOnly: true,
  });
});

test.each([
  "server/contract.ts",
  "server/limits.ts",
  "server/lines.ts",
  "server/maybe-promise.ts",
  "server/store/ring-buffer.ts",
  "server/store/doorbell.ts",
  "client/backoff.ts",
])("%s imports nothing", (file) => {
  expect(files).toContain(file);
  expect(imports.filter(({ from }) => from === file)).toEqual([]);
});

test("imports of the server go down only, also those of types", () => {
  // Each floor may use the floors below it and its own.
  const floors = [
    /^server\/(main\.ts$|commands\/)/,
    /^server\/(config|command-line|config-rules|index)\.ts$/,
    /^client\//, // for the commands that are clients, and for nobody below them
    /^server\/(app|exec-app|listen|handshake|pipelining)\.ts$|^server\/sources\//,
    /^server\/((topics|door|pages)\.ts$|demos\/|exec\/)/,
    /^server\/transports\//,
    /^server\/(wire\/|origin\.ts$|publishing\.ts$)/,
    /^server\/hub\.ts$/,
    /^server\/leases\.ts$/,
    /^server\/(subscription|turns)\.ts$/,
    /^server\/store\//,
    /^server\/check\.ts$/,
    /^server\/errors\.ts$/,
    /^server\/(contract|limits|maybe-promise|lines)\.ts$/,
  ];
  const floorOf = (file: string) => floors.findIndex((floor) => floor.test(file));
  const server = files.filter((file) => file.startsWith("server/"));
  expect(server.filter((file) => floorOf(file) === -1)).toEqual([]);
  const upwards = imports.filter(
    ({ from, to }) => from.startsWith("server/") && isOurs(to) && floorOf(to) < floorOf(from),
  );
  expect(upwards).toEqual([]);
});

test("no file imports itself by a detour", () => {
  const circles = files.filter((file) => reachable(file).has(file));
  expect(circles).toEqual([]);
});

test("a transport does not know its siblings", () => {
  const transportOf = (file: string) => /^server\/transports\/([^/.]+)/.exec(file)?.[1];
  const strangers = imports.filter(({ from, to }) => {
    const [mine, other] = [transportOf(from), transportOf(to)];
    return mine !== undefined && other !== undefined && mine !== other;
  });
  expect(strangers).toEqual([]);
});

test("only the commands know the configuration, the sources and the concrete store", () => {
  const parts = /^server\/(config(-rules)?\.ts|command-line\.ts|sources\/|store\/memory-store\.ts)/;
  const knowing = imports
    .filter(({ from, to }) => parts.test(to) && !parts.test(from))
    .map(({ from }) => from);
  const may = /^server\/((main|index)\.ts$|commands\/)/;
  expect(knowing.filter((file) => !may.test(file))).toEqual([]);
  expect(knowing).toContain("server/commands/serve.ts");
});

test("the demos use nothing that the library does not export", () => {
  const exported = new Set(importsOf("server/index.ts").map(({ to }) => to));
  const foreign = imports.filter(
    ({ from, to }) =>
      from.startsWith("server/demos/") &&
      to.startsWith("server/") &&
      !to.startsWith("server/demos/") &&
      !exported.has(to),
  );
  expect(foreign).toEqual([]);
});

test("only the outside of the server knows hono, ws and capnweb", () => {
  const outside =
    /^server\/(transports\/|wire\/|demos\/|exec\/|commands\/|(topics|door|pages|app|exec-app|listen|handshake|main)\.ts$)/;
  const inside = imports.filter(
    ({ from, to }) =>
      from.startsWith("server/") &&
      /^(hono|@hono\/node-server|ws|capnweb)(\/|$)/.test(to) &&
      !outside.test(from),
  );
  expect(inside).toEqual([]);
});

test("the client runs in a browser and shares only the contract's types with the server", () => {
  const foreign = imports.filter(
    ({ from, to, typeOnly }) =>
      from.startsWith("client/") &&
      (/^node:/.test(to) ||
        (to === "ws" && from !== "client/node.ts") ||
        (to.startsWith("server/") && !(typeOnly && to === "server/contract.ts"))),
  );
  expect(foreign).toEqual([]);
});

test("the pages use the client and the contract, and nothing else of the server", () => {
  const foreign = imports.filter(
    ({ from, to }) =>
      from.startsWith("static/") && to.startsWith("server/") && to !== "server/contract.ts",
  );
  expect(foreign).toEqual([]);
});

test("files are small enough to do one thing", () => {
  const long = files.filter((file) => readFileSync(file, "utf8").split("\n").length > 260);
  expect(long).toEqual([]);
});

function sources(): string[] {
  return ["server", "client", "static"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `${folder}/${file}`.replaceAll("\\", "/")),
  );
}

function importsOf(from: string): Import[] {
  const text = readFileSync(from, "utf8");
  const pattern = /^(?:import|export)\s(type\s)?(?:[^;'"=]*?\sfrom\s)?["']([^"']+)["'];/gm;
  const found = [...text.matchAll(pattern)].map(([, type, to]) => ({ type, to: to! }));
  const lazy = [...text.matchAll(/\bimport\(["']([^"']+)["']\)/g)].map(([, to]) => ({ to: to! }));
  return [...found, ...lazy].map((one) => ({
    from,
    to: one.to.startsWith(".")
      ? normalize(join(dirname(from), one.to)).replaceAll("\\", "/")
      : one.to,
    typeOnly: "type" in one && one.type !== undefined,
  }));
}

function isOurs(to: string): boolean {
  return /^(server|client|static)\//.test(to);
}

function reachable(file: string): Set<string> {
  const seen = new Set<string>();
  const visit = (from: string) => {
    for (const { to } of imports.filter((one) => one.from === from && isOurs(one.to))) {
      if (seen.has(to)) continue;
      seen.add(to);
      visit(to);
    }
  };
  visit(file);
  return seen;
}
