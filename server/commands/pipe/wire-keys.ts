/** What JSON can say and Cap'n Web cannot. Imports nothing. */

/**
 * A key in the data that the library drops without a word when it reads a message: those of
 * `Object.prototype` (`constructor`, `__proto__` …) and `toJSON`. Such an event would arrive with a
 * piece missing.
 * @param data what JSON.parse gave, not deeper than an event may be
 */
export function keyThatIsLost(data: unknown): string | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  for (const [key, value] of Object.entries(data)) {
    if (key in Object.prototype || key === "toJSON") return key;
    const inside = keyThatIsLost(value);
    if (inside !== undefined) return inside;
  }
  return undefined;
}
