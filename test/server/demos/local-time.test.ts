import { afterEach, expect, test } from "vitest";
import { rfc3339, rfc3339Seconds, timeOfDay } from "../../../server/demos/local-time.ts";

const zone = process.env["TZ"];
afterEach(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

const DATE = new Date("2022-08-04T07:05:32.039Z");

test.each([
  ["Asia/Shanghai", "2022-08-04T15:05:32", "+08:00"],
  ["UTC", "2022-08-04T07:05:32", "+00:00"],
  ["America/St_Johns", "2022-08-04T04:35:32", "-02:30"],
  ["Asia/Kathmandu", "2022-08-04T12:50:32", "+05:45"],
  ["Pacific/Kiritimati", "2022-08-04T21:05:32", "+14:00"],
  ["Pacific/Pago_Pago", "2022-08-03T20:05:32", "-11:00"],
])("in %s it is %s%s", (tz, local, offset) => {
  process.env["TZ"] = tz;
  expect(rfc3339(DATE)).toBe(`${local}.039${offset}`);
  expect(rfc3339Seconds(DATE)).toBe(local + offset);
  expect(timeOfDay(DATE)).toBe(local.slice(11));
  expect(new Date(rfc3339(DATE)).getTime()).toBe(DATE.getTime());
});

test("summer and winter have their own offsets", () => {
  process.env["TZ"] = "Europe/Helsinki";
  expect(rfc3339Seconds(new Date("2022-01-01T00:00:00Z"))).toBe("2022-01-01T02:00:00+02:00");
  expect(rfc3339Seconds(new Date("2022-07-01T00:00:00Z"))).toBe("2022-07-01T03:00:00+03:00");
});
