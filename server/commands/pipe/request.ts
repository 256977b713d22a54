/**
 * Some lines as one HTTP batch of Cap'n Web: each a `publish` with a key of its own, so that the
 * server takes a repeat for what it is.
 */
import { lost, rejected } from "../../../client/failures.ts";
import type { TransportError } from "../../../client/transport.ts";
import { inBatch } from "../../../client/transports/rpc-batch.ts";
import type { WaitingLine } from "./waiting-lines.ts";

export interface Destination {
  /** Of the Cap'n Web API: `http://HOST/api`. */
  readonly url: URL;
  readonly topic: string;
  readonly token: string;
  /** What the idempotency keys of one run begin with. */
  readonly run: string;
  /** A server that does not answer in this time may never. Default 30,000. */
  readonly deadlineMs?: number;
}

/** What became of a line: undefined when it is stored, else why not, or why nobody knows. */
export type Outcome = TransportError | undefined;

/**
 * Without lines it only asks whether the token is right: one outcome, as for a line.
 * @param signal no answer is waited for any more
 * @returns an outcome for each line, in their order
 */
export async function publishLines(
  lines: readonly WaitingLine[],
  { url, topic, token, run, deadlineMs = 30_000 }: Destination,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const request = new AbortController();
  const late = () => request.abort(lost(`No answer within ${deadlineMs / 1_000} s`));
  const timer = setTimeout(late, deadlineMs);
  const leave = () => request.abort(signal.reason);
  signal.addEventListener("abort", leave);
  if (signal.aborted) leave();
  try {
    const answers = await inBatch({ url, topic }, request.signal, (api) => {
      const publisher = api.authenticate(token);
      const calls = lines.map(({ number, data }) =>
        publisher.publish(topic, data, { idempotencyKey: `${run}-${number}` }),
      );
      return Promise.allSettled<unknown>(lines.length === 0 ? [publisher] : calls);
    });
    return answers.map((answer) => {
      if (answer.status === "fulfilled") return undefined;
      return rejected(request.signal.aborted ? request.signal.reason : answer.reason);
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
}
