/** A method that a path does not know: RFC 9110 §15.5.6 wants the others to be named. */
import type { Context } from "hono";
import { PushError } from "../errors.ts";

/** @throws {PushError} `method_not_allowed`, always */
export function refuseMethod(c: Context, allow: string): never {
  c.header("Allow", allow);
  throw new PushError("method_not_allowed", `Expected ${allow}, got ${c.req.method}`);
}
