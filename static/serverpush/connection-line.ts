/** The line that says how the connection is, with a countdown to the next attempt. */
import type { ConnectionStatus } from "../../client/connection.ts";
import { elementById } from "./element.ts";

const LABELS: Record<ConnectionStatus["state"], string> = {
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  disconnected: "Disconnected",
};

export class ConnectionLine {
  #countdown: ReturnType<typeof setInterval> | undefined;

  show({ state, message, retryInMs }: ConnectionStatus): void {
    clearInterval(this.#countdown);
    elementById("connection").dataset["state"] = state;
    setText("connection-state", LABELS[state]);
    setText("connection-message", message);
    if (retryInMs === undefined) {
      setText("connection-retry", state === "reconnecting" ? "(trying now)" : "");
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

/** Writing the same text again would make a screen reader say it again. */
function setText(id: string, text: string): void {
  const element = elementById(id);
  if (element.textContent !== text) element.textContent = text;
}
