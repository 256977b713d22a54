/** The line that says how the connection is, with a countdown to the next attempt. */
import type { ConnectionStatus } from "../../client/status.ts";
import { elementById, setText as setTextOf } from "./element.ts";

/** The state in a word. */
export const STATE_LABELS: Record<ConnectionStatus["state"], string> = {
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  disconnected: "Disconnected",
};

export class ConnectionLine {
  #countdown: ReturnType<typeof setInterval> | undefined;

  /** `trying`: what to say while an attempt is under way. */
  show({ state, message, retryInMs }: ConnectionStatus, trying = "(trying now)"): void {
    clearInterval(this.#countdown);
    elementById("connection").dataset["state"] = state;
    setText("connection-state", STATE_LABELS[state]);
    setText("connection-message", message);
    if (retryInMs === undefined) {
      setText("connection-retry", state === "reconnecting" ? trying : "");
      return;
    }
    const retryAt = performance.now() + retryInMs;
    const tick = () => {
      const seconds = Math.max(1, Math.ceil((retryAt - performance.now()) / 1_000));
      setText("connection-retry", `(next attempt in ${seconds} s)`);
    };
    this.#countdown = setInterval(tick, 1_000);
    tick();
  }
}

function setText(id: string, text: string): void {
  setTextOf(elementById(id), text);
}
