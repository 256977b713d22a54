/** How each transport says the end of a program to its client: the last words that guests hear. */
import type { Transport } from "./guests.ts";

export type Words = Readonly<Record<Transport, string>>;

export const ENDED = exit({ code: 0, signal: null }, "1000");
export const FAILED = exit({ code: 3, signal: null }, "1011 program_failed");
export const KILLED = exit({ code: null, signal: "SIGKILL" }, "1011 program_failed");

/** Its stdout has ended, and it had not. */
export const RUNS_ON: Words = {
  ...exit({ code: null, signal: null }, "1000"),
  // Asked after the output's end, it waits for the program's own.
  "Cap'n Web": 'exit {"code":null,"signal":"SIGINT"}',
};

export const TOO_LARGE = error("too_large", "1009");
export const SHUTTING_DOWN = error("shutting_down", "1012");

function exit(how: { code: number | null; signal: string | null }, close: string): Words {
  const word = `exit ${JSON.stringify(how)}`;
  return {
    WebSocket: close,
    "Cap'n Web": word,
    SSE: word,
    NDJSON: word,
    text: "end", // it has no word for it
  };
}

function error(code: string, close: string): Words {
  const word = `error ${code}`;
  return {
    WebSocket: `${close} ${code}`,
    "Cap'n Web": word,
    SSE: word,
    NDJSON: word,
    text: "cut", // so that nobody takes a part for the whole
  };
}
