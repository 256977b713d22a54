/**
 * Polling subscriptions, found by an id that cannot be guessed. They belong to no connection: an id
 * is good over any, until it is ended or until its lease runs out. Publishing never touches them.
 */
import { nanoid } from "nanoid";
import type { Batch } from "./contract.ts";
import { PushError } from "./errors.ts";
import type { MaybePromise } from "./maybe-promise.ts";
import type { NextOptions, Subscription } from "./subscription.ts";

export interface LeasesOptions {
  /** Life without a poll, in milliseconds. */
  leaseMs: number;
  /** How many there may be. */
  max: number;
  /** A clock that never goes back, in milliseconds. */
  now?: () => number;
}

interface Lease {
  readonly subscription: Subscription;
  expiresAt: number;
  /** The poll that is being held. Its lease does not run. */
  held: AbortController | undefined;
}

export class Leases {
  readonly leaseMs: number;
  readonly #max: number;
  readonly #now: () => number;
  /** In the order in which they were last polled, so the first to expire stands in front. */
  readonly #leases = new Map<string, Lease>();
  /**
   * Nothing expires before this, so nothing is looked for before. A Map's iterator walks over every
   * entry that was deleted in front of it, and each renewal deletes one.
   */
  #sweepAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #held = 0;

  constructor({ leaseMs, max, now = () => performance.now() }: LeasesOptions) {
    this.leaseMs = leaseMs;
    this.#max = max;
    this.#now = now;
  }

  get size(): number {
    return this.#leases.size;
  }

  /** How many polls are being held. */
  get held(): number {
    return this.#held;
  }

  /**
   * @returns its id: the topic's name and 126 random bits
   * @throws {PushError} `limit_exceeded`
   */
  add(subscription: Subscription): string {
    this.#sweep();
    if (this.#leases.size >= this.#max) {
      throw new PushError("limit_exceeded", `Expected at most ${this.#max} subscriptions`);
    }
    const id = `${subscription.topic.replaceAll(/[^A-Za-z0-9]/g, "_")}_${nanoid()}`;
    const expiresAt = this.#now() + this.leaseMs;
    this.#leases.set(id, { subscription, expiresAt, held: undefined });
    this.#sweepAt = Math.min(this.#sweepAt, expiresAt);
    this.#schedule();
    return id;
  }

  /** @throws {PushError} `invalid_request` without an id, `subscription_not_found` */
  get(id: unknown): Subscription {
    return this.#find(id).subscription;
  }

  /**
   * One poll, which renews the lease. A poll that is still being held for the same id is answered
   * empty: the client has given it up, or it would not have sent another.
   */
  poll(id: unknown, options: NextOptions): MaybePromise<Batch> {
    const lease = this.#find(id);
    lease.held?.abort();
    lease.held = undefined;
    this.#renew(id as string, lease);
    if (!options.waitMs) return lease.subscription.read(options);
    return this.#hold(id as string, lease, options);
  }

  end(id: unknown): void {
    const { subscription } = this.#find(id);
    this.#leases.delete(id as string);
    subscription.close();
  }

  /** Ends all of them, each with a reason of its own. May be called twice. */
  close(reason: () => PushError): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const leases = [...this.#leases.values()];
    this.#leases.clear();
    for (const { subscription } of leases) subscription.close(reason());
  }

  async #hold(id: string, lease: Lease, options: NextOptions): Promise<Batch> {
    const { signal } = options;
    const held = new AbortController();
    const stop = () => held.abort();
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
    lease.held = held;
    this.#held += 1;
    try {
      return await lease.subscription.next({ ...options, signal: held.signal });
    } finally {
      this.#held -= 1;
      signal?.removeEventListener("abort", stop);
      if (lease.held === held) {
        lease.held = undefined;
        this.#renew(id, lease);
      }
    }
  }

  #find(id: unknown): Lease {
    if (typeof id !== "string" || id === "") {
      throw new PushError("invalid_request", "subscription ID required");
    }
    this.#sweep();
    const lease = this.#leases.get(id);
    if (lease) return lease;
    throw new PushError("subscription_not_found", "subscription not found");
  }

  #renew(id: string, lease: Lease): void {
    if (!this.#leases.delete(id)) return;
    lease.expiresAt = this.#now() + this.leaseMs;
    this.#leases.set(id, lease);
  }

  /** Ends those whose time is over. They stand in front, so this looks at one more than it ends. */
  #sweep(): void {
    const now = this.#now();
    if (now < this.#sweepAt) return;
    this.#sweepAt = Number.POSITIVE_INFINITY;
    for (const [id, lease] of this.#leases) {
      if (lease.expiresAt > now) {
        this.#sweepAt = lease.expiresAt;
        return;
      }
      if (lease.held) {
        this.#renew(id, lease);
        continue;
      }
      this.#leases.delete(id);
      lease.subscription.close();
    }
  }

  /** One timer for all of them, set for the first. */
  #schedule(): void {
    if (this.#timer) return;
    const [first] = this.#leases.values();
    if (!first) return;
    const timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#sweep();
        this.#schedule();
      },
      Math.max(1, first.expiresAt - this.#now()),
    );
    timer.unref();
    this.#timer = timer;
  }
}
