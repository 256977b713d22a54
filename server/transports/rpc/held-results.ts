/**
 * What a client has called and not yet released. The library keeps the parameters and the result of
 * each until then, so without a bound a client could fill the server's memory.
 */
import { PushError } from "../../errors.ts";
import type { Limits } from "../../limits.ts";
import { type Demand, MAX_REFERENCES } from "./messages.ts";

export class HeldResults {
  readonly #limits: Limits;
  /** By export id; the client's pushes are 1, 2, 3 … */
  #held: Map<number, { readonly demand: Demand; bytes: number }> | undefined;
  #pushes = 0;
  #calls = 0;
  #references = 0;
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** @throws {PushError} `limit_exceeded`, which ends the session */
  onReceive(message: unknown, demand: Demand, bytes: number): void {
    if (!Array.isArray(message)) return;
    const [kind, id] = message as unknown[];
    if (kind === "release") this.#release(id as number);
    if (kind !== "push") return;
    (this.#held ??= new Map()).set((this.#pushes += 1), { demand, bytes });
    this.#calls += Math.max(1, demand.calls);
    this.#references += demand.references;
    this.#bytes += bytes;
    const { sessionCalls, sessionBytes } = this.#limits;
    if (this.#calls > sessionCalls || this.#bytes > sessionBytes) {
      throw new PushError(
        "limit_exceeded",
        `Expected at most ${sessionCalls} calls and ${sessionBytes} bytes that are not released`,
      );
    }
    if (this.#references > MAX_REFERENCES) {
      const limit = `Expected at most ${MAX_REFERENCES} references to results at once`;
      throw new PushError("limit_exceeded", limit);
    }
  }

  onSend(message: readonly unknown[], bytes: number): void {
    const [kind, id] = message;
    const held =
      kind === "resolve" || kind === "reject" ? this.#held?.get(id as number) : undefined;
    if (!held) return;
    held.bytes += bytes;
    this.#bytes += bytes;
  }

  #release(id: number): void {
    const held = this.#held?.get(id);
    if (!held) return;
    this.#calls -= Math.max(1, held.demand.calls);
    this.#references -= held.demand.references;
    this.#bytes -= held.bytes;
    this.#held!.delete(id);
    if (this.#held!.size === 0) this.#held = undefined; // an idle session keeps none
  }
}
