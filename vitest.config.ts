import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/setup.ts"],
    // Real servers, browsers and 200 MB of events on a shared machine of two cores. A test waits
    // for the thing itself; this only ends one that waits for what never comes.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } }, // the default, 1 s, is a guess at the machine's speed
    retry: 0,
    // Most tests wait: for heartbeats, for a silence of a minute, for a browser. More workers than
    // two cores have wait together.
    maxWorkers: 3,
    // No module keeps anything between its uses, so the test files that a worker takes one after the
    // other share them: a process and all imports anew for each took twice as long for the small ones.
    isolate: false,
  },
});
