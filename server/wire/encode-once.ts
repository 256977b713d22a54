/**
 * Readers that stand at the same place are given the same batch, one object for all of them: its
 * bytes are made for the first of them, and kept for as long as the batch.
 */
import type { Batch } from "../contract.ts";

/** @param encode a batch as one transport writes it; pure */
export function encodeOnce(encode: (batch: Batch) => Buffer): (batch: Batch) => Buffer {
  const made = new WeakMap<Batch, Buffer>();
  // Those who are woken together follow each other: for them nothing has to be looked up.
  let newest: Batch | undefined;
  let bytes: Buffer;
  return (batch) => {
    if (batch === newest) return bytes;
    bytes = made.get(batch) ?? encode(batch);
    made.set(batch, bytes);
    newest = batch;
    return bytes;
  };
}
