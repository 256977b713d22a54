/**
 * Readers that have everything take the same batch, one object for all of them: its bytes are made
 * for the first of them. Only the newest are kept: those who are woken together follow each other.
 */
import type { Batch } from "../contract.ts";

/** @param encode a batch as one transport writes it; pure */
export function encodeOnce(encode: (batch: Batch) => Buffer): (batch: Batch) => Buffer {
  let newest: Batch | undefined;
  let bytes: Buffer;
  return (batch) => {
    if (batch !== newest) {
      bytes = encode(batch);
      newest = batch;
    }
    return bytes;
  };
}
