/** A button that copies a line of code. Without the clipboard it selects the line instead. */
import { setText } from "../shared/element.ts";

const SHOWN_MS = 2_000;

/** Adds it to the end of `line`. What has happened is also written into `status`, for those who hear. */
export function addCopyButton(line: HTMLElement, code: HTMLElement, status: HTMLElement): void {
  const button = line.appendChild(document.createElement("button"));
  const what = line.dataset["name"] ?? line.previousElementSibling?.textContent?.trim() ?? "";
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.ariaLabel = `Copy ${what}`;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (text: string, spoken: string) => {
    button.textContent = text;
    setText(status, spoken);
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = "Copy";
      setText(status, "");
    }, SHOWN_MS);
  };
  button.addEventListener("click", () => {
    void copy(code).then((copied) =>
      copied ? say("Copied", `Copied ${what}`) : say("Selected", `Selected ${what}, copy it now`),
    );
  });
}

/** Never rejects: false when the browser forbids it, as it does for http on another machine. */
async function copy(code: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(code);
    return false;
  }
}
