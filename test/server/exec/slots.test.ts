import { describe, expect, test } from "vitest";
import { networkOf, Slots } from "../../../server/exec/slots.ts";

describe("Slots", () => {
  test("has as many as it was told, and those that were given back again", () => {
    const slots = new Slots({ max: 2 });
    const first = slots.take("10.0.0.1");
    slots.take("10.0.0.2");
    expect(() => slots.take("10.0.0.3")).toThrow("Expected at most 2 programs at once");
    first();
    slots.take("10.0.0.3");
    expect(slots.size).toBe(2);
  });

  test("takes each back once", () => {
    const slots = new Slots({ max: 2 });
    const first = slots.take("10.0.0.1");
    slots.take("10.0.0.1");
    first();
    first();
    expect(slots.size).toBe(1);
  });

  test("gives one address no more than its part, and others theirs", () => {
    const slots = new Slots({ max: 3, maxPerAddress: 2 });
    const first = slots.take("10.0.0.1");
    slots.take("::ffff:10.0.0.1");
    expect(() => slots.take("10.0.0.1")).toThrow("2 programs for one address");
    const other = slots.take("10.0.0.2");
    other();
    first();
    slots.take("10.0.0.1");
    expect(slots.size).toBe(2);
  });

  test("says with a code and a time that there are too many", () => {
    const slots = new Slots({ max: 0 });
    expect(() => slots.take("::1")).toThrow(
      expect.objectContaining({ code: "too_many_processes", retryAfterMs: 5_000 }) as Error,
    );
  });
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::1", "0:0:0:0::/64"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
  ["2001:DB8:0001:2::9", "2001:db8:1:2::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("counts %s as %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});
