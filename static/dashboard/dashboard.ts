/** What `/dashboard/stream` sends. It comes from the network, so it is looked at before it is believed. */
export interface Dashboard {
  readonly system_status: {
    readonly status: string;
    readonly uptime: string;
    readonly last_check: string;
    readonly message: string;
  };
  /** Each with its unit: `45%`, `125 Mbps`, `87ms`. */
  readonly metrics: {
    readonly cpu: string;
    readonly memory: string;
    readonly disk: string;
    readonly network: string;
    readonly response_time: string;
  };
  readonly activities: readonly Activity[];
  readonly timestamp: string;
}

export interface Activity {
  readonly time: string;
  readonly message: string;
  readonly level: string;
  readonly css_class: string;
}

/** Undefined for anything that is not a whole dashboard. */
export function parseDashboard(text: string): Dashboard | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isDashboard(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `"45%"` → `["45", "%"]`, `"125 Mbps"` → `["125", "Mbps"]`, and `["unknown", ""]`. */
export function splitUnit(text: string): readonly [number: string, unit: string] {
  const [, number, unit] = /^(-?[\d.]+)\s*(.*)$/.exec(text) ?? [];
  return number === undefined ? [text, ""] : [number, unit ?? ""];
}

function isDashboard(value: unknown): value is Dashboard {
  return (
    hasTexts(value, "timestamp") &&
    hasTexts(value["system_status"], "status", "uptime", "last_check", "message") &&
    hasTexts(value["metrics"], "cpu", "memory", "disk", "network", "response_time") &&
    Array.isArray(value["activities"]) &&
    value["activities"].every((one) => hasTexts(one, "time", "message", "level", "css_class"))
  );
}

function hasTexts(value: unknown, ...names: string[]): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === "string");
}
