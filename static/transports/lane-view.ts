/** What one transport's card shows. Made from the page's template, and only ever given text. */
import { elementById, elementIn, setText } from "../shared/element.ts";
import { bytesText, countText, delayText, type Measured } from "./figures.ts";

export interface LaneFigures {
  readonly requests: number;
  readonly bytes: number;
  readonly events: number;
  readonly delay: Measured | undefined;
  /** Null when nobody can know how many. */
  readonly missed: number | null;
}

export interface LaneState {
  /** For the dot's colour. */
  readonly state: "connecting" | "connected" | "reconnecting" | "disconnected";
  readonly label: string;
  readonly message: string;
  /** What has become of the last cut. */
  readonly story: string;
  readonly button: "Cut" | "Reconnect" | "Start again";
}

export class LaneView {
  readonly canvas: HTMLCanvasElement;
  readonly #name: string;
  readonly #card: HTMLElement;
  readonly #button: HTMLButtonElement;

  /** `id`: of the card, which has its heading and its explanation already. */
  constructor(id: string, onPress: () => void) {
    this.#card = elementById(id);
    const template = elementIn(document, "template#lane", HTMLTemplateElement);
    this.#card.append(template.content.cloneNode(true));
    this.#name = elementIn(this.#card, "h2", HTMLElement).textContent;
    this.canvas = elementIn(this.#card, "canvas", HTMLCanvasElement);
    this.canvas.ariaLabel = `The last 30 seconds over ${this.#name}: CPU usage, and each event from when it was published to when it was here. The figures below say the same.`;
    this.#button = elementIn(this.#card, ".cut", HTMLButtonElement);
    this.#button.addEventListener("click", onPress);
  }

  figures({ requests, bytes, events, delay, missed }: LaneFigures): void {
    this.#set(".requests", countText(requests));
    this.#set(".bytes", bytesText(bytes));
    this.#set(".events", countText(events));
    this.#set(".delay", delayText(delay));
    this.#set(".missed", missed === null ? "some" : countText(missed));
  }

  state({ state, label, message, story, button }: LaneState): void {
    elementIn(this.#card, ".connection", HTMLElement).dataset["state"] = state;
    this.#set("strong", label);
    this.#set(".message", message);
    this.#set(".story", story);
    setText(this.#button, button);
    this.#button.ariaLabel = `${button}: ${this.#name}`;
  }

  #set(selector: string, text: string): void {
    setText(elementIn(this.#card, selector, HTMLElement), text);
  }
}
