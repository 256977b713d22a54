/**
 * The list of messages: the latest, as text and never as markup. They are put in once per frame and
 * wait in a bounded list until then, so a flood of them freezes nothing, in a hidden tab neither.
 */
import { setText } from "../shared/element.ts";
import { timeOfDay } from "../shared/time-format.ts";
import type { ChatMessage } from "./chat-message.ts";

export type Delivery = "sending" | "delivered" | "refused" | "given-up";

const SHOWN = 200;
const NEAR_END_PX = 60;
const DELIVERY: Record<Delivery, string> = {
  sending: "sending…",
  delivered: "delivered",
  refused: "not delivered: too long",
  "given-up": "not delivered",
};

export class MessageList {
  readonly #list: HTMLElement;
  readonly #scroller: HTMLElement;
  /** By id, as long as they are shown: the messages that have one, so that none comes twice. */
  readonly #items = new Map<string, HTMLElement>();
  #waiting: HTMLElement[] = [];
  #drawing = false;

  /** `scroller`: shows as much of `list` as there is room for. */
  constructor(list: HTMLElement, scroller: HTMLElement) {
    this.#list = list;
    this.#scroller = scroller;
  }

  /** Another copy of a message that is shown already changes nothing. */
  add(message: ChatMessage): void {
    if (message.id !== undefined && this.#items.has(message.id)) return;
    this.#put(itemOf(message), message.id);
  }

  /** One of our own, with how far it has come. */
  addOwn(message: ChatMessage & { readonly id: string }): void {
    const item = itemOf(message);
    item.className = "own";
    this.#put(item, message.id);
    this.mark(message.id, "sending");
  }

  mark(id: string, delivery: Delivery): void {
    const state = this.#items.get(id)?.querySelector(".delivery");
    if (!state) return;
    setText(state, DELIVERY[delivery]);
    state.classList.toggle("lost", delivery === "refused" || delivery === "given-up");
  }

  #put(item: HTMLElement, id: string | undefined): void {
    if (id !== undefined) {
      item.dataset["id"] = id;
      this.#items.set(id, item);
    }
    this.#waiting.push(item);
    if (this.#waiting.length > SHOWN) this.#forget(this.#waiting.shift());
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => this.#show());
  }

  #show(): void {
    this.#drawing = false;
    const list = this.#list;
    const scroller = this.#scroller;
    const below = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    const own = this.#waiting.some((item) => item.className === "own");
    list.append(...this.#waiting);
    this.#waiting = [];
    while (list.children.length > SHOWN) {
      this.#forget(list.firstElementChild);
      list.firstElementChild?.remove();
    }
    if (below < NEAR_END_PX || own) scroller.scrollTop = scroller.scrollHeight;
  }

  #forget(item: Element | null | undefined): void {
    if (item instanceof HTMLElement && item.dataset["id"]) this.#items.delete(item.dataset["id"]);
  }
}

function itemOf({ name, text }: ChatMessage): HTMLElement {
  const item = document.createElement("li");
  const head = item.appendChild(document.createElement("div"));
  head.className = "head";
  head.appendChild(document.createElement("b")).textContent = name;
  head.appendChild(document.createElement("time")).textContent = timeOfDay(Date.now());
  head.appendChild(document.createElement("span")).className = "delivery";
  item.appendChild(document.createElement("p")).textContent = text;
  return item;
}
