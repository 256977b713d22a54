/**
 * The one place that reconnects: reads a topic for ever over any transport, each time from the last
 * cursor. What comes out is in order, each event once, and every loss is a gap in the batch.
 */
import { backoffDelay } from "./backoff.ts";
import type { ConnectionStatus } from "./connection.ts";
import { cursorBefore, epochOf, offsetOf } from "./cursor.ts";
import { lost, protocolError } from "./failures.ts";
import { Order, type Verdict } from "./order.ts";
import type { SetTimer } from "./session.ts";
import { type Place, type TopicBatch, type Transport, TransportError } from "./transport.ts";
import { startTimer, wait } from "./wait.ts";

export interface ResumeOptions {
  /** Ends the reading, without an error. */
  signal: AbortSignal;
  /** Called at each change. */
  onStatus?: ((status: ConnectionStatus) => void) | undefined;
  /** How long a server may take to answer. */
  openMs?: number;
  /** How long it may say nothing after that; its heartbeats come every 30 s. */
  silenceMs?: number;
  /** A monotonic clock in milliseconds. */
  now?: () => number;
  /** 0 (included) to 1 (not included), for the jitter. */
  random?: () => number;
  setTimer?: SetTimer;
}

const MIN_DELAY_MS = 250;
const STABLE_MS = 10_000; // a connection that lived this long makes the next failure a first one
const MAX_RETRY_AFTER_MS = 5 * 60_000; // a server may ask for patience, but not for ever

/**
 * Gives every batch, also the empty ones. Returns when the signal is aborted.
 * @throws {TransportError} what trying again cannot help against
 */
export async function* resume(
  transport: Transport,
  from: Place,
  {
    signal,
    onStatus,
    openMs = 20_000,
    silenceMs = 75_000, // two heartbeats and a half
    now = () => performance.now(),
    random = Math.random,
    setTimer = startTimer,
  }: ResumeOptions,
): AsyncGenerator<TopicBatch, void> {
  const order = orderFrom(from);
  let place = from;
  let attempt = 0;
  let hasRead = false;
  onStatus?.({ state: "connecting", message: `Opening ${transport.name}` });
  while (!signal.aborted) {
    let connectedAt: number | undefined;
    try {
      for await (const batch of readOnce(transport, place, {
        signal,
        openMs,
        silenceMs,
        setTimer,
      })) {
        check(order, batch);
        place = { after: batch.cursor };
        if (connectedAt === undefined) {
          connectedAt = now();
          onStatus?.({ state: "connected", message: `Reading over ${transport.name}` });
        }
        yield batch;
      }
    } catch (error) {
      if (signal.aborted) return;
      const failure = asFailure(error);
      const { message } = failure;
      hasRead ||= connectedAt !== undefined;
      if (!canRetry(failure, { hasRead })) {
        onStatus?.({ state: "disconnected", message });
        throw failure;
      }
      if (connectedAt !== undefined && now() - connectedAt >= STABLE_MS) attempt = 0;
      const retryInMs = retryDelay(failure, attempt, random);
      attempt += 1;
      onStatus?.({ state: "reconnecting", message, retryInMs });
      await wait(retryInMs, { signal, setTimer }).catch(() => {}); // aborted: the loop sees it
      if (!signal.aborted) onStatus?.({ state: "reconnecting", message });
    }
  }
}

interface Try {
  readonly signal: AbortSignal;
  readonly openMs: number;
  readonly silenceMs: number;
  readonly setTimer: SetTimer;
}

/** One try, which ends by throwing, also when the server has said nothing for too long. */
async function* readOnce(
  transport: Transport,
  place: Place,
  { signal, openMs, silenceMs, setTimer }: Try,
): AsyncGenerator<TopicBatch, never> {
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort(signal.reason), { signal: stop.signal });
  const batches = transport.open(place, stop.signal)[Symbol.asyncIterator]();
  try {
    for (let patienceMs = openMs; ; patienceMs = silenceMs) {
      // Only while something is waited for: a reader may take its time with what it got.
      const cancel = setTimer(() => stop.abort(silent(patienceMs)), patienceMs);
      const result = await batches.next().finally(cancel);
      if (result.done) throw lost("The transport has ended");
      yield result.value;
    }
  } finally {
    stop.abort(lost("The reader has left"));
    batches.return?.().catch(() => {}); // it has ended, or does so now, for a reason of ours
  }
}

/**
 * A topic that was there before is not gone for good: where the log is kept in memory, it comes back
 * after a restart with its first event.
 */
export function canRetry(failure: TransportError, { hasRead }: { hasRead: boolean }): boolean {
  return failure.canRetry || (hasRead && failure.code === "topic_not_found");
}

/** Before attempt 0, 1, 2 … after a failure: at least the minimum, or what the server asked for. */
export function retryDelay(
  { retryAfterMs = 0 }: Pick<TransportError, "retryAfterMs">,
  attempt: number,
  random: () => number,
): number {
  const minMs = Math.max(MIN_DELAY_MS, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
  return backoffDelay(attempt, { minMs, random });
}

/** Who begins at a cursor has to get what follows it. */
function orderFrom({ after }: Place): Order {
  const order = new Order();
  const isCursor = after !== undefined && /^[^.]+\.\d{1,15}$/.test(after);
  if (isCursor) order.place(epochOf(after), offsetOf(after));
  return order;
}

/** @throws {TransportError} `protocol_error` for a repeat, a loss without a gap, a new epoch */
function check(order: Order, batch: TopicBatch): void {
  const epoch = epochOf(batch.cursor);
  const expected = `${order.epoch}.${order.offset + 1}`;
  const judge = (verdict: Verdict, cursor: string) => {
    if (verdict === "next") return;
    throw protocolError(
      `The server broke the order (${verdict}): ${expected} expected, ${cursor} came`,
    );
  };
  if (batch.gap) {
    const begin = cursorBefore(batch);
    judge(order.gap(epoch, offsetOf(begin), batch.gap.missed), begin);
  }
  for (const { offset } of batch.events) judge(order.event(epoch, offset), `${epoch}.${offset}`);
  judge(order.place(epoch, offsetOf(batch.cursor)), batch.cursor);
}

function silent(ms: number): TransportError {
  return lost(`The server has said nothing for ${ms / 1_000} s`);
}

/** Anything else is a bug of a transport; it ends the reading, and must not be tried for ever. */
function asFailure(error: unknown): TransportError {
  if (error instanceof TransportError) return error;
  return new TransportError("internal", String(error), { canRetry: false, cause: error });
}
