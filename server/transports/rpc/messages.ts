/**
 * What a client may say, judged before the library takes it up. The library speaks more than any
 * call of ours needs, and some of that costs a server dear: a client's promise that is given up is
 * an unhandled rejection, a client's stream is memory that nobody reads, and a map within a map
 * turns one line into a million calls.
 */
import { shown } from "../../check.ts";
import { PushError } from "../../errors.ts";

/** Steps in one map; each is done for every element, and a batch of events has up to 1,000. */
const MAX_MAP_STEPS = 16;

/** References to results in one batch, or in what a session has not released. */
export const MAX_REFERENCES = 100;

/** The library ends at 256 levels, of which some are two here. This only bounds the recursion. */
const MAX_DEPTH = 600;

/** No parameter of ours is one of these. */
const REFUSED = new Set(["promise", "readable", "writable", "blob", "request", "response"]);

/** What one message, or all messages of a batch, ask for. */
export class Demand {
  calls = 0;
  mapSteps = 0;
  /** To results of earlier calls, each of which the library copies whole. */
  references = 0;

  /** Several answers may go out in one message. */
  get joinsAnswers(): boolean {
    return this.calls > 1 || this.mapSteps > 0;
  }
}

/**
 * @param demand what this message asks for is added to it
 * @throws {PushError} `protocol_error`
 */
export function checkMessage(message: unknown, demand: Demand): void {
  if (!Array.isArray(message)) return; // the library says what is wrong with it
  const [kind, first, second] = message as unknown[];
  if (kind === "pipe" || kind === "stream") {
    refuse("Expected no streams from the client: no call takes one");
  }
  if (kind === "release" && !isId(second)) {
    refuse(`Expected a release of a whole number of references, got ${shown(second)}`);
  }
  if (kind === "push" && isArrayOf("remap", first)) checkMap(first, demand);
  else if (kind === "push") checkValue(first, demand, 0);
  else if (kind === "abort") checkAnswer(first);
  else if (kind === "resolve" || kind === "reject") {
    // Its main object is not a promise; what "resolves" it would be rejected with nobody to hear.
    if (!isId(first)) refuse(`Expected an answer to a call of the server's, got ${shown(first)}`);
    checkAnswer(second);
  }
}

/** What the client answers or ends with. A call in it would fail with nobody to hear. */
function checkAnswer(value: unknown): void {
  const demand = new Demand();
  checkValue(value, demand, 0);
  if (demand.calls > 0) refuse("Expected no calls in an answer");
}

/** `["remap", id, path, captures, instructions]` */
function checkMap(map: unknown[], demand: Demand): void {
  const instructions: unknown = map[4];
  if (!Array.isArray(instructions)) return;
  demand.mapSteps += instructions.length;
  if (demand.mapSteps > MAX_MAP_STEPS) refuse(`Expected maps of at most ${MAX_MAP_STEPS} steps`);
  const captures: unknown[] = Array.isArray(map[3]) ? map[3] : [];
  if (captures.some((capture) => isArrayOf("import", capture) && capture[1] !== 0)) {
    refuse("Expected a map to take along nothing but the main object");
  }
  for (const instruction of instructions) checkValue(instruction, demand, 0);
}

function checkValue(value: unknown, demand: Demand, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > MAX_DEPTH) refuse("Expected a nesting of at most 256 levels");
  if (!Array.isArray(value)) {
    for (const item of Object.values(value)) checkValue(item, demand, depth + 1);
    return;
  }
  const [kind] = value as unknown[];
  // `[[…]]` is a list, and a call's parameters are one too: what stands first in them is a value.
  if (value.length === 1 && Array.isArray(kind)) return checkAll(kind, demand, depth);
  if (kind === "remap") refuse("Expected no map within a map or a value");
  if (typeof kind === "string" && REFUSED.has(kind)) refuse(`Expected no ${kind} of the client's`);
  if (kind !== "pipeline" && kind !== "import") return checkAll(value, demand, depth);
  if (value.length === 4) demand.calls += 1;
  else if (value[1] !== 0) demand.references += 1;
  if (demand.references > MAX_REFERENCES) {
    refuse(`Expected at most ${MAX_REFERENCES} references to results`);
  }
  if (Array.isArray(value[3])) checkAll(value[3], demand, depth);
}

function checkAll(values: readonly unknown[], demand: Demand, depth: number): void {
  for (const value of values) checkValue(value, demand, depth + 1);
}

function isId(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) > 0;
}

function isArrayOf(kind: string, value: unknown): value is unknown[] {
  return Array.isArray(value) && value[0] === kind;
}

function refuse(message: string): never {
  throw new PushError("protocol_error", message);
}

/**
 * How many calls one message, or one batch, may make: a map makes as many as its array is long.
 * And how long the answers may be that go out together.
 */
export class CallBudget {
  readonly #maxCalls: number;
  readonly #maxBytes: number;
  #calls = 0;
  #allowance: Allowance | undefined;

  constructor({ maxCalls, maxBytes }: { maxCalls: number; maxBytes: number }) {
    this.#maxCalls = maxCalls;
    this.#maxBytes = maxBytes;
  }

  /** @param joined whether the answers go out together; others are counted as they are written */
  renew({ joined }: { joined: boolean }): void {
    this.#calls = 0;
    this.#allowance = joined ? new Allowance(this.#maxBytes) : undefined;
  }

  /**
   * Takes one call.
   * @returns what its answer has to be measured by, if it has to
   * @throws {PushError} `limit_exceeded`
   */
  take(): Allowance | undefined {
    if (this.#calls === this.#maxCalls) {
      throw new PushError("limit_exceeded", `Expected at most ${this.#maxCalls} calls at once`);
    }
    this.#calls += 1;
    return this.#allowance;
  }
}

/** The bytes that the answers to one message may have, all of them together. */
export class Allowance {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws {PushError} `limit_exceeded` */
  spend<T>(answer: T): T {
    // Once it is over the rest is not even measured.
    if (this.#bytes <= this.#maxBytes) this.#bytes += JSON.stringify(answer).length;
    if (this.#bytes <= this.#maxBytes) return answer;
    const limit = `Expected answers of at most ${this.#maxBytes} bytes to the calls of one value`;
    throw new PushError("limit_exceeded", limit);
  }
}
