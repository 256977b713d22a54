import { describe, expect, it } from "vitest";
import { parseDashboard, splitUnit } from "../../../static/dashboard/dashboard.ts";

/** As the seed has it. */
const WHOLE = {
  system_status: {
    status: "online",
    uptime: "2 days, 14 hours",
    last_check: "15:04:05",
    message: "System running normally",
  },
  metrics: {
    cpu: "45%",
    memory: "67%",
    disk: "23%",
    network: "125 Mbps",
    response_time: "87ms",
  },
  activities: [
    { time: "15:04:05", message: "Dashboard updated", level: "info", css_class: "activity-info" },
  ],
  timestamp: "15:04:05",
};

describe("a dashboard", () => {
  it("is read as it was sent", () => {
    expect(parseDashboard(JSON.stringify(WHOLE))).toEqual(WHOLE);
  });

  it.each([
    "",
    "null",
    "{}",
    JSON.stringify({ ...WHOLE, metrics: { ...WHOLE.metrics, cpu: 45 } }),
    JSON.stringify({ ...WHOLE, system_status: null }),
    JSON.stringify({ ...WHOLE, activities: [{}] }),
    JSON.stringify({ ...WHOLE, activities: "none" }),
  ])("is not believed to be one: %s", (text) => expect(parseDashboard(text)).toBeUndefined());

  it.each([
    ["45%", "45", "%"],
    ["125 Mbps", "125", "Mbps"],
    ["87ms", "87", "ms"],
    ["0.4 Mbps", "0.4", "Mbps"],
    ["unknown", "unknown", ""],
    ["", "", ""],
  ])("%s is a number and its unit", (text, number, unit) =>
    expect(splitUnit(text)).toEqual([number, unit]),
  );
});
