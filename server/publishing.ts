/**
 * Publishing from outside the process: who may, and that a repeat does nothing twice. Both
 * `POST /topics/:topic` and the RPC call `authenticate` end here.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { checkData, checkEventName, checkOptions, checkTopic, shown } from "./check.ts";
import type { Published } from "./contract.ts";
import { PushError } from "./errors.ts";
import type { Hub } from "./hub.ts";

interface Remembered {
  readonly fingerprint: string;
  readonly answer: Promise<Published>;
  readonly expires: number;
}

export interface PublishingOptions {
  /** Without one nobody may publish. */
  token?: string | undefined;
  /** A clock that never goes back, in milliseconds. */
  now?: () => number;
}

export class Publishing {
  readonly #hub: Hub;
  readonly #token: string | undefined;
  readonly #now: () => number;
  /** By topic and key, oldest first. */
  readonly #remembered = new Map<string, Remembered>();

  constructor(hub: Hub, { token, now = () => performance.now() }: PublishingOptions = {}) {
    this.#hub = hub;
    this.#token = token;
    this.#now = now;
  }

  /** @throws {PushError} `forbidden` when no token is configured, `unauthorized` for another one */
  authorize(token: unknown): void {
    if (this.#token === undefined) {
      throw new PushError("forbidden", "publishing is off: the server was started without a token");
    }
    if (typeof token === "string" && sameText(token, this.#token)) return;
    throw new PushError("unauthorized", "Expected the publish token");
  }

  /**
   * For whoever has been authorized. `options` are `PublishOptions`.
   * @throws {PushError} what `hub.publish` throws; `idempotency_conflict` for a key that came with
   *   another event before
   */
  async publish(topic: unknown, data: unknown, options?: unknown): Promise<Published> {
    const { name, idempotencyKey } = checkOptions(options);
    const checked = checkTopic(topic);
    const publish = async () => ({
      cursor: await this.#hub.publish(checked, data, { name: name as string }),
    });
    if (idempotencyKey === undefined) return publish();

    const key = `${checked} ${checkKey(idempotencyKey)}`; // a topic has no space in it
    const title = name === undefined ? "" : checkEventName(name); // and a name no line break
    const fingerprint = hash(`${title}\n${checkData(data, this.#hub.limits.eventBytes)}`);
    this.#expire();
    const before = this.#remembered.get(key);
    if (before?.fingerprint === fingerprint) return before.answer;
    if (before) {
      const conflict = `Expected one event per idempotency key: ${shown(idempotencyKey)} is taken`;
      throw new PushError("idempotency_conflict", conflict);
    }
    const answer = publish();
    const remembered = {
      fingerprint,
      answer,
      expires: this.#now() + this.#hub.limits.idempotencyMs,
    };
    this.#makeRoom();
    this.#remembered.set(key, remembered);
    // What was not published may be tried again.
    answer.catch(() => {
      if (this.#remembered.get(key) === remembered) this.#remembered.delete(key);
    });
    return answer;
  }

  #expire(): void {
    const now = this.#now();
    for (const [key, { expires }] of this.#remembered) {
      if (expires > now) return;
      this.#remembered.delete(key);
    }
  }

  /** For one more: the oldest goes. */
  #makeRoom(): void {
    if (this.#remembered.size < this.#hub.limits.idempotencyKeys) return;
    const [oldest] = this.#remembered.keys();
    this.#remembered.delete(oldest!);
  }
}

function checkKey(key: unknown): string {
  if (typeof key === "string" && /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new PushError(
    "invalid_request",
    `Expected an idempotency key of 1–255 visible ASCII characters, got ${shown(key)}`,
  );
}

/** In a time that tells nothing about how much of it is right. */
function sameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash("sha256").update(text).digest());
  return timingSafeEqual(left!, right!);
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
