/** The three buttons. Each is enabled exactly when pressing it would do something. */
import type { ConnectionStatus } from "../../client/status.ts";
import { elementById } from "../shared/element.ts";

export interface ButtonEvents {
  onConnect: () => void;
  onSubscribe: () => void;
  onUnsubscribe: () => void;
}

export interface ButtonState {
  readonly state: ConnectionStatus["state"];
  /** The user wants updates, though there may be no subscription yet. */
  readonly wanted: boolean;
  readonly subscribed: boolean;
}

export class Buttons {
  readonly #connect = buttonById("connect");
  readonly #subscribe = buttonById("subscribe");
  readonly #unsubscribe = buttonById("unsubscribe");
  #moveFocus = false;

  constructor({ onConnect, onSubscribe, onUnsubscribe }: ButtonEvents) {
    this.#connect.addEventListener("click", onConnect);
    this.#subscribe.addEventListener("click", onSubscribe);
    this.#unsubscribe.addEventListener("click", onUnsubscribe);
  }

  show({ state, wanted, subscribed }: ButtonState): void {
    this.#connect.disabled = state === "connecting" || state === "connected";
    this.#disable(this.#subscribe, wanted || state !== "connected");
    this.#disable(this.#unsubscribe, !subscribed);
    this.#handOverFocus();
  }

  #disable(button: HTMLButtonElement, disabled: boolean): void {
    this.#moveFocus ||= disabled && button === document.activeElement;
    button.disabled = disabled;
  }

  /** A disabled button loses the keyboard focus; its counterpart gets it once that is enabled. */
  #handOverFocus(): void {
    const next = [this.#subscribe, this.#unsubscribe].find((button) => !button.disabled);
    if (!this.#moveFocus || !next) return;
    this.#moveFocus = false;
    const { activeElement } = document;
    const isLost = activeElement === document.body || activeElement?.matches(":disabled");
    if (isLost) next.focus();
  }
}

function buttonById(id: string): HTMLButtonElement {
  const element = elementById(id);
  if (element instanceof HTMLButtonElement) return element;
  throw new Error(`#${id} is not a button`);
}
