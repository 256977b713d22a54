/**
 * How an error looks to a Cap'n Web client: a message, an own `code`, and never a stack. Passed to
 * the library as `onSendError`; it sees every error that leaves, its own ones too.
 */
import { PushError } from "../../errors.ts";

// The library puts the whole offending message into some of its errors.
const MAX_MESSAGE = 300;

export function errorOnWire(error: Error): Error | undefined {
  // As it is: the library sends own properties, and a stack only of an error returned here.
  if (error instanceof PushError) return undefined;
  // Everything of ours is a PushError by now (see `guard`): this is the library, which says what
  // is wrong with the client's call.
  const { message } = error;
  const told = new PushError(
    "invalid_request",
    message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message,
  );
  delete told.stack;
  return told;
}
