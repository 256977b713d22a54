/** The button that asks the server for one more update to everybody, and says how many it reached. */
import { setText } from "../shared/element.ts";

export function triggerOn(button: HTMLButtonElement, line: HTMLElement): void {
  let asking = false; // not `disabled`, which would take the keyboard's focus away
  button.addEventListener("click", () => {
    if (asking) return;
    asking = true;
    setText(line, "");
    void trigger().then((text) => {
      asking = false;
      setText(line, text);
    });
  });
}

/** What to tell. Never rejects. */
async function trigger(): Promise<string> {
  try {
    const answer = await fetch("/dashboard/trigger-test", { cache: "no-store" });
    if (!answer.ok) return `The server refused the test update (${answer.status})`;
    const told: unknown = await answer.json();
    return describe(told);
  } catch {
    return "The server cannot be reached";
  }
}

function describe(told: unknown): string {
  const { connections } = (told ?? {}) as { connections?: unknown };
  if (typeof connections !== "number") return "Test update sent";
  return `Test update sent to ${connections} ${connections === 1 ? "client" : "clients"}`;
}
