/**
 * How many programs may run at once: in all, and for one address. A slot is taken before a program
 * is started, and free when none of its processes is left.
 */
import { PushError } from "../errors.ts";

export interface SlotOptions {
  max: number;
  /** Default: as many as in all. */
  maxPerAddress?: number | undefined;
}

const RETRY_AFTER_MS = 5_000;

export class Slots {
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #taken = new Map<string, number>();
  #size = 0;

  constructor({ max, maxPerAddress = max }: SlotOptions) {
    this.#max = max;
    this.#maxPerAddress = maxPerAddress;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * @returns gives the slot back, once
   * @throws {PushError} `too_many_processes`
   */
  take(address: string): () => void {
    const network = networkOf(address);
    const own = this.#taken.get(network) ?? 0;
    if (this.#size >= this.#max) throw tooMany(`${this.#max} programs`);
    if (own >= this.#maxPerAddress) {
      throw tooMany(`${this.#maxPerAddress} programs for one address`);
    }
    this.#size += 1;
    this.#taken.set(network, own + 1);
    let taken = true;
    return () => {
      if (taken) this.#free(network);
      taken = false;
    };
  }

  #free(network: string): void {
    const left = this.#taken.get(network)! - 1;
    this.#size -= 1;
    if (left > 0) this.#taken.set(network, left);
    else this.#taken.delete(network);
  }
}

function tooMany(limit: string): PushError {
  return new PushError("too_many_processes", `Expected at most ${limit} at once`, {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** One IPv4 address; of IPv6 the /64 that one subscriber gets (RFC 6177), or its cap would be none. */
export function networkOf(address: string): string {
  const [, mapped] = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  const [before, after] = address.replace(/%.*/, "").split("::") as [string, string?];
  const groups = before === "" ? [] : before.split(":");
  if (after !== undefined) {
    const last = after === "" ? [] : after.split(":");
    groups.push(...Array<string>(8 - groups.length - last.length).fill("0"), ...last);
  }
  const prefix = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(":")}::/64`;
}
