/** What a page pays for the client. Whoever makes it larger has to come by here. */
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bundle } from "./static/bundle.ts";

const CLIENT = "client/index.ts";

/** In bytes, as a server sends it. */
const sizeOf = (code: string) => gzipSync(code, { level: 9 }).length;

/** What is not the client's own. */
const foreign = (sources: readonly string[]) =>
  sources.filter((source) => !/^(?!.*node_modules).*\/client\/.*\.ts$/.test(source));

describe("the client in a browser", () => {
  it("takes at most 12 kB without Cap'n Web", async () => {
    const { code, imports, sources } = await bundle(CLIENT, { external: ["capnweb"] });
    expect(code).toContain("rpc-tail"); // it is the client
    expect(imports).toEqual(["capnweb"]);
    expect(foreign(sources)).toEqual([]);
    expect(sizeOf(code)).toBeLessThanOrEqual(12_000);
  });

  it("takes at most 30 kB with it, and nothing else is in it, nor anything of Node", async () => {
    const { code, imports, sources } = await bundle(CLIENT);
    expect(imports).toEqual([]);
    expect(foreign(sources)).toEqual([expect.stringContaining("/node_modules/capnweb/")]);
    expect(code).not.toMatch(/["'`]node:|\brequire\(/);
    expect(sizeOf(code)).toBeLessThanOrEqual(30_000);
  });
});
