/** The chat: join with a name, write, and see what everybody writes. */
import { ConnectionLine } from "../shared/connection-line.ts";
import { elementById, elementIn, setText } from "../shared/element.ts";
import { bytesOf, decodeMessage, encodeMessage, MAX_BYTES, newId } from "./chat-message.ts";
import { ChatSocket } from "./chat-socket.ts";
import { MessageList } from "./message-list.ts";
import { showPeople } from "./people.ts";

const join = elementIn(document, "#join", HTMLFormElement);
const compose = elementIn(document, "#compose", HTMLFormElement);
const nameField = elementIn(join, "#name", HTMLInputElement);
const textField = elementIn(compose, "#text", HTMLTextAreaElement);
const leave = elementIn(document, "#leave", HTMLButtonElement);
const problem = elementById("problem");
let name: string | undefined;

const connectionLine = new ConnectionLine();
const messages = new MessageList(elementById("messages"), elementById("log"));
const address = new URL("/ws/chat", location.href);
address.protocol = address.protocol.replace("http", "ws");
const socket = new ChatSocket(address.href, {
  onStatus: (status) => connectionLine.show(status),
  onFrame: (frame) => messages.add(decodeMessage(frame)),
  onDelivered: (id) => messages.mark(id, "delivered"),
  onRefused: (id) => messages.mark(id, "refused"),
  onGivenUp: (id) => messages.mark(id, "given-up"),
});

join.addEventListener("submit", (event) => {
  event.preventDefault();
  name = nameField.value.trim() || undefined;
  if (name === undefined) return nameField.focus();
  socket.open();
  showPlace();
  textField.focus();
});

leave.addEventListener("click", () => {
  name = undefined;
  socket.close();
  showPlace();
  nameField.focus();
});

compose.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
  textField.focus();
});

textField.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
textField.addEventListener("input", () => setText(problem, ""));

showPeople(elementById("people"));

// Whoever leaves the page is no longer counted; a page that comes back from the cache goes on.
addEventListener("pagehide", () => socket.pause());
addEventListener("pageshow", ({ persisted }) => {
  if (persisted && name !== undefined) socket.open();
});

function send(): void {
  const text = textField.value.trim();
  if (text === "" || name === undefined) return;
  const message = { id: newId(), name, text };
  const frame = encodeMessage(message);
  const bytes = bytesOf(frame);
  if (bytes > MAX_BYTES) {
    setText(problem, `Too long: ${Math.ceil(bytes / 1024)} KiB, and 512 KiB is the limit`);
    return;
  }
  if (!socket.send(message.id, frame)) {
    setText(problem, "Not sent: too many messages wait for the server already");
    return;
  }
  messages.addOwn({ ...decodeMessage(frame), id: message.id });
  textField.value = "";
  setText(problem, "");
}

function showPlace(): void {
  const inside = name !== undefined;
  join.hidden = inside;
  for (const part of [elementById("room"), compose, leave]) part.hidden = !inside;
}
