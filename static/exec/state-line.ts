/** The line that says whether the program runs, and how it ended. */
import { elementById, setText } from "../shared/element.ts";
import type { ProgramState } from "./program-socket.ts";

const LABELS: Record<ProgramState["state"], string> = {
  starting: "Starting",
  running: "Running",
  ended: "Not running",
};

export function showState(state: ProgramState): void {
  const line = elementById("connection");
  line.dataset["state"] = colourOf(state);
  setText(elementById("state"), LABELS[state.state]);
  setText(elementById("message"), state.state === "ended" ? state.words : "");
}

/** As layout.css has them. */
function colourOf(state: ProgramState): string {
  if (state.state === "ended") return state.isGood ? "idle" : "disconnected";
  return state.state === "running" ? "connected" : "connecting";
}
