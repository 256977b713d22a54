/**
 * An answer at once (memory) or by promise (a file, Redis). The hot path takes the first without
 * an extra tick of the event loop. Imports nothing.
 */
export type MaybePromise<T> = T | Promise<T>;

/** `await` that does not wait when there is nothing to wait for. */
export function andThen<T, R>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<R>,
): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** `handle` throws what the promise is rejected with instead. An answer at once passes. */
export function whenRejected<T>(
  value: MaybePromise<T>,
  handle: (error: unknown) => never,
): MaybePromise<T> {
  return value instanceof Promise ? value.catch(handle) : value;
}
