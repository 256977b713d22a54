/** How a program's WebSocket ended, in words. */
export interface Ending {
  readonly words: string;
  /** Whether it ended as it should. */
  readonly isGood: boolean;
}

const WORDS: Readonly<Record<number, string>> = {
  1000: "The program has ended",
  1009: "A line was too long",
  1011: "The program failed",
  1012: "The server has stopped, and the program with it",
  1013: "Too many programs run already",
};

export const STOPPED: Ending = { words: "You have stopped it", isGood: true };

/** @param opened whether there was a connection at all */
export function endingOf(
  { code, reason }: Pick<CloseEvent, "code" | "reason">,
  opened: boolean,
): Ending {
  const unknown = opened ? LOST : REFUSED;
  return { words: messageOf(reason) ?? WORDS[code] ?? unknown, isGood: code === 1000 };
}

const LOST = "The connection was lost, and the program with it";
// A browser does not tell with which status a handshake was refused.
const REFUSED = "The server refused to run it, or cannot be reached";

/** Of the server's JSON; undefined for anything else. */
function messageOf(reason: string): string | undefined {
  try {
    const { message } = (JSON.parse(reason) ?? {}) as { message?: unknown };
    return typeof message === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}
