/**
 * A program's output as text to read: without what colours a terminal or moves its cursor. Tabs and
 * line breaks stay. It is bounded: a thousand lines of a megabyte each would freeze any page.
 */
export function plainText(text: string): string {
  const bounded = text.length > TAKEN ? flatCopy(text.slice(0, TAKEN)) : text;
  const plain = /\p{Cc}/u.test(bounded) ? withoutControls(bounded) : bounded;
  if (plain.length <= SHOWN && bounded === text) return plain;
  return `${plain.slice(0, SHOWN)}… (${text.length.toLocaleString("en")} characters in all)`;
}

const SHOWN = 4_000; // characters
const TAKEN = 16_000; // more than is shown, because colours may be most of it

const ESC = "\u001b";
const BEL = "\u0007";

/** ECMA-48 §5.6 and §8.3.89 (strings), §5.4 (CSI), §5.5 (the short ones), and what is left. */
const CONTROLS = new RegExp(
  [
    `${ESC}[\\]PX^_][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)?`,
    `(?:${ESC}\\[|\\u009b)[0-?]*[ -/]*[@-~]?`,
    `${ESC}[ -/]*[0-~]?`,
    "(?![\\t\\n\\r])\\p{Cc}",
  ].join("|"),
  "gu",
);

function withoutControls(text: string): string {
  const readable = text.replace(CONTROLS, "");
  return readable.includes("\r") ? readable.split("\n").map(overwritten).join("\n") : readable;
}

/** `"10 %\r20 %"` → `"20 %"`: a carriage return begins the line anew, as progress bars do. */
function overwritten(line: string): string {
  return line.split("\r").findLast((part) => part !== "") ?? "";
}

/** What `slice` gives keeps the whole string it was cut from alive. */
function flatCopy(text: string): string {
  return text.split("").join("");
}
