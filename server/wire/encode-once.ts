/**
 * Readers that have everything take the same batch, one object for all of them: its bytes are made
 * for the first and kept as long as the batch is.
 */
import type { Batch } from "../contract.ts";

/** @param encode a batch as one transport writes it; pure */
export function encodeOnce(encode: (batch: Batch) => Buffer): (batch: Batch) => Buffer {
  const made = new WeakMap<Batch, Buffer>();
  return (batch) => {
    let bytes = made.get(batch);
    if (!bytes) {
      bytes = encode(batch);
      made.set(batch, bytes);
    }
    return bytes;
  };
}
