/**
 * A console for the program at this address. Opening the page starts nothing, since whoever can make
 * somebody open a link could start programs: that takes a click.
 */
import { elementById, elementIn, setText } from "../shared/element.ts";
import { LineLog } from "../shared/line-log.ts";
import { ChunkLines } from "./chunk-lines.ts";
import { ProgramSocket, type ProgramState } from "./program-socket.ts";
import { showState } from "./state-line.ts";

const run = elementIn(document, "#run", HTMLButtonElement);
const stop = elementIn(document, "#stop", HTMLButtonElement);
const form = elementIn(document, "#input", HTMLFormElement);
const field = elementIn(form, "#line", HTMLInputElement);
const problem = elementById("problem");

// Opened at its own address, it runs what is at the server's first one.
const path = location.pathname.startsWith("/static/") ? "/" : location.pathname;
const address = new URL(path + location.search, location.origin);
elementById("address").textContent = address.pathname + address.search;
document.title = `Program ${address.pathname}${address.search}`;
address.protocol = address.protocol.replace("http", "ws");

const log = new LineLog(elementById("lines"));
let chunks = new ChunkLines(log);
const program = new ProgramSocket(address.href, {
  onState: show,
  onLine: (text) => log.add({ text, time: Date.now() }),
  onChunk: (bytes) => chunks.take(bytes),
});

run.addEventListener("click", () => {
  log.clear();
  chunks = new ChunkLines(log);
  program.run();
  // On a phone it would bring up the keyboard, which hides half of the output.
  (matchMedia("(pointer: fine)").matches ? field : elementById("log")).focus();
});

stop.addEventListener("click", () => program.stop());

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value;
  if (!program.send(text)) return setText(problem, "Not sent: the program does not run");
  setText(problem, "");
  chunks.breakLine();
  log.add({ text, time: Date.now(), kind: "input" });
  field.value = "";
});

// A page that waits in the browser's cache to come back is left all the same.
addEventListener("pagehide", () => program.stop());

function show(state: ProgramState): void {
  showState(state);
  const isOver = state.state === "ended";
  const hadFocus = document.activeElement === stop; // which a disabled one has not
  run.disabled = !isOver;
  stop.disabled = isOver;
  if (hadFocus && isOver) elementById("log").focus();
  if (isOver) log.add({ text: state.words, time: Date.now(), kind: "note" });
}
