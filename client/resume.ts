/**
 * The one place that reconnects: reads a topic for ever, each time from the last cursor, over one
 * transport or whichever works. What comes out is in order, each event once, and every loss is a gap
 * in the batch.
 */
import { Choice } from "./choice.ts";
import { type Clock, clockOf } from "./clock.ts";
import { cursorBefore, epochOf, offsetOf } from "./cursor.ts";
import { OrderBroken } from "./failures.ts";
import { Order, type Verdict } from "./order.ts";
import { overlap } from "./overlap.ts";
import { Retry } from "./retry.ts";
import type { ConnectionStatus } from "./status.ts";
import { type Place, type TopicBatch, type Transport, TransportError } from "./transport.ts";

export interface ResumeOptions extends Partial<Clock> {
  /** Ends the reading, without an error. */
  signal: AbortSignal;
  /** Called at each change. */
  onStatus?: ((status: ConnectionStatus) => void) | undefined;
  /** How long a server may take to answer, in milliseconds. */
  openMs?: number | undefined;
  /** How long it may say nothing after that; its heartbeats come every 30 s. */
  silenceMs?: number | undefined;
}

const OPEN_MS = 20_000;
const SILENCE_MS = 75_000; // two heartbeats and a half

/**
 * Gives every batch, also the empty ones. Returns when the signal is aborted.
 * @param transports one, or a choice of several
 * @throws {TransportError} what trying again cannot help against
 */
export async function* resume(
  transports: Transport | Choice,
  from: Place,
  { signal, onStatus, openMs = OPEN_MS, silenceMs = SILENCE_MS, ...times }: ResumeOptions,
): AsyncGenerator<TopicBatch, void> {
  const clock = clockOf(times);
  const { now, setTimer } = clock;
  const choice = transports instanceof Choice ? transports : new Choice([transports], { now });
  const retry = new Retry(clock);
  let place = from;
  let hasRead = false;
  /** Since something was read. Each one's first failure is a first one: there may be one that works. */
  const tried = new Set<Transport>();
  onStatus?.({ state: "connecting", message: `Opening ${choice.current.name}` });
  while (!signal.aborted) {
    let openedAt: number | undefined;
    let source: Transport | undefined;
    tried.add(choice.current);
    const order = orderFrom(place); // what a server said out of order counts for nothing
    try {
      const options = { clock, signal, openMs, silenceMs, setTimer };
      for await (const { batch, transport } of overlap(choice, place, options)) {
        check(order, batch);
        place = { after: batch.cursor };
        hasRead = true;
        if (source !== transport) {
          source = transport;
          tried.clear();
          openedAt = now();
          const { name } = transport;
          onStatus?.({ state: "connected", message: `Reading over ${name}`, transport: name });
        }
        yield batch;
      }
    } catch (error) {
      if (signal.aborted) return;
      const failure = asFailure(error);
      const livedMs = openedAt === undefined ? undefined : now() - openedAt;
      const reason = choice.failed({ failure, livedMs, mayPass: mayPass(failure, { hasRead }) });
      if (reason) {
        onStatus?.({ state: "disconnected", message: reason.message });
        throw reason;
      }
      const { message } = failure;
      if (openedAt === undefined && !tried.has(choice.current)) retry.reset();
      const retryInMs = retry.failed(failure, livedMs);
      onStatus?.({ state: "reconnecting", message, retryInMs });
      await retry.wait(signal).catch(() => {}); // aborted: the loop sees it
      if (!signal.aborted) onStatus?.({ state: "reconnecting", message });
    }
  }
}

/**
 * Whether trying again may help. What was there before is not gone for good: a log that is kept in
 * memory comes back after a restart with its first event, and whatever else answers in its place (a
 * hotel's sign-in page, a proxy) will go away.
 */
export function mayPass(failure: TransportError, { hasRead }: { hasRead: boolean }): boolean {
  if (failure.canRetry) return true;
  const isForeign = /^(topic_not_found$|protocol_error$|http_)/.test(failure.code);
  return hasRead && isForeign && !(failure instanceof OrderBroken);
}

/** Who begins at a cursor has to get what follows it. */
function orderFrom({ after }: Place): Order {
  const order = new Order();
  const isCursor = after !== undefined && /^[^.]+\.\d{1,15}$/.test(after);
  if (isCursor) order.place(epochOf(after), offsetOf(after));
  return order;
}

/** @throws {OrderBroken} for a repeat, a loss without a gap, a new epoch */
function check(order: Order, batch: TopicBatch): void {
  const epoch = epochOf(batch.cursor);
  const expected = `${order.epoch}.${order.offset + 1}`;
  const judge = (verdict: Verdict, cursor: string) => {
    if (verdict === "next") return;
    throw new OrderBroken(`(${verdict}): ${expected} expected, ${cursor} came`);
  };
  if (batch.gap) {
    const begin = cursorBefore(batch);
    judge(order.gap(epoch, offsetOf(begin), batch.gap.missed), begin);
  }
  for (const { offset } of batch.events) judge(order.event(epoch, offset), `${epoch}.${offset}`);
  judge(order.place(epoch, offsetOf(batch.cursor)), batch.cursor);
}

/** Anything else is a bug of a transport; it ends the reading, and must not be tried for ever. */
function asFailure(error: unknown): TransportError {
  if (error instanceof TransportError) return error;
  return new TransportError("internal", String(error), { canRetry: false, cause: error });
}
