/**
 * Between the library and the wire. It gives the library's messages the ids that they have at the
 * client, and keeps those that only ask where a delivery would go: the library is handed a ticket in
 * place of a batch, and the message that carries it tells the place.
 *
 *      listen   library: push −1(ticket), release      ← nothing of it goes out
 *      tail     library: pipe, stream(ticket), close, release      ← only the pipe goes out
 */
import { isAnswer } from "./answers.ts";
import type { Ids } from "./ids.ts";

/** @param place the id that the client gave its callback, or that it gives the pipe */
export type OnPlace = (place: number) => void;

/** No message of the library's has this id. What answers it is disposed of, as it should be. */
const NOBODY = Number.MAX_SAFE_INTEGER;

export class Translator {
  readonly #ids: Ids;
  #tickets: Map<string, OnPlace> | undefined;
  #issued = 0;
  /** Answers to messages that were kept. */
  readonly #answers: unknown[] = [];

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  /** A ticket that a callback is called with, or that is written to a stream. Good for one message. */
  issue(onPlace: OnPlace): string {
    const ticket = `ticket ${(this.#issued += 1)}`;
    (this.#tickets ??= new Map()).set(ticket, onPlace);
    return ticket;
  }

  withdraw(ticket: string): void {
    if (this.#tickets?.delete(ticket) && this.#tickets.size === 0) this.#tickets = undefined;
  }

  /** The library's next message is answered by this, before anything that the client has sent. */
  nextAnswer(): unknown {
    return this.#answers.shift();
  }

  /** @returns what goes out for a message of the library's, if anything */
  outgoing(message: readonly unknown[]): readonly unknown[] | undefined {
    const [kind, first, ...rest] = message;
    switch (kind) {
      case "push":
      case "stream":
        return this.#call(kind, first);
      case "pipe":
        this.#ids.send({ once: false });
        return message;
      case "pull":
      case "release": {
        const id = this.#toWire(first as number);
        if (id === undefined) return undefined;
        if (kind === "release") this.#ids.forget(first as number);
        return [kind, id, ...rest];
      }
      case "resolve":
      case "reject":
        return this.#ids.size === 0 ? message : [kind, first, ...rest.map((v) => this.#value(v))];
      default:
        return message;
    }
  }

  /** @returns the client's message as the library is to see it */
  incoming(message: unknown): unknown {
    if (!isAnswer(message)) return message;
    const [kind, id, ...value] = message;
    return [kind, this.#ids.answered(id) ?? NOBODY, ...value];
  }

  #call(kind: "push" | "stream", expression: unknown): readonly unknown[] | undefined {
    const [, target, , parameters] = expression as [string, number, unknown, unknown[] | undefined];
    const ticket = parameters?.[0];
    const onPlace = typeof ticket === "string" ? this.#tickets?.get(ticket) : undefined;
    const place = this.#toWire(target);
    if (onPlace === undefined && place !== undefined) {
      this.#ids.send({ once: kind === "stream" });
      return [kind, this.#value(expression)];
    }
    const id = this.#ids.keep();
    if (kind === "stream") this.#answers.push(["resolve", id, ["undefined"]]);
    if (onPlace && place !== undefined) {
      this.withdraw(ticket as string);
      if (kind === "stream") this.#ids.forget(target); // from here on the pipe is not the library's
      onPlace(place);
    }
    return undefined;
  }

  /** The client's own ids are negative, and the same everywhere. */
  #toWire(id: number): number | undefined {
    return id > 0 ? this.#ids.toWire(id) : id;
  }

  /** A value of the library's in which ids may stand. */
  #value(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (!Array.isArray(value)) {
      return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, this.#value(v)]));
    }
    const [kind, id] = value as unknown[];
    const refers = typeof kind === "string" && REFERENCES.has(kind) && typeof id === "number";
    if (!refers) return value.map((item) => this.#value(item));
    return [kind, this.#toWire(id) ?? NOBODY, ...value.slice(2).map((item) => this.#value(item))];
  }
}

/** What stands before an id in the client's table. */
const REFERENCES = new Set(["import", "pipeline", "readable", "remap"]);
