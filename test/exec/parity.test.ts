/**
 * websocketd and `exec` side by side: the same programs, the same client. A row holds what was
 * measured of both, so the table is true of the real websocketd too.
 */
import { describe, expect } from "vitest";
import { expected, type Side, type SideName } from "./row.ts";
import { LINES } from "./rows-lines.ts";
import { LIFE } from "./rows-life.ts";
import { DOOR } from "./rows-door.ts";
import { type Stage, test } from "./stage.ts";

const ROWS = [...LINES, ...LIFE, ...DOOR].map((row) => [row.name, row] as const);

describe.each(["websocketd", "exec"] as const)("%s", (name) => {
  test.concurrent.for(ROWS)("%s", async ([, row], { startExec, startWebsocketd, visit }) => {
    const side = sideOf(name, { startExec, startWebsocketd, visit });
    expect(await row.see(side)).toEqual(expected(row, name));
  });
});

type Sides = Pick<Stage, "startExec" | "startWebsocketd" | "visit">;

function sideOf(name: SideName, { startExec, startWebsocketd, visit }: Sides): Side {
  const startServer = name === "exec" ? startExec : startWebsocketd;
  const start: Side["start"] = (command, flags, env) => startServer(command, flags?.[name], env);
  return {
    name,
    start,
    visit,
    run: async (command, flags) => visit(await start(command, flags)),
  };
}
