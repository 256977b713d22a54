/** The first page: every demo, every stream, and the console's snippet, with this server's address. */
import { elementById, elementIn } from "../shared/element.ts";
import { addCopyButton } from "./copy-button.ts";
import { Console } from "./console.ts";
import { nameOrigin } from "./origin.ts";

for (const line of document.querySelectorAll<HTMLElement>(".line")) {
  const code = elementIn(line, "code", HTMLElement);
  nameOrigin(code, location);
  addCopyButton(line, code, elementById("copied"));
}
const demo = new Console(elementIn(document, "#run", HTMLButtonElement), elementById("output"));
addEventListener("pagehide", () => demo.stop()); // a browser has six connections per server
