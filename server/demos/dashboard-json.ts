/** What `/dashboard/stream` sends: figures → texts with their units. Pure. */
import { timeOfDay } from "./local-time.ts";

/** What is measured. Percentages are 0–100. */
export interface Figures {
  /** Of the host. */
  readonly uptimeSeconds: number;
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly diskPercent: number;
  /** Megabits per second. */
  readonly networkMbps: number;
}

export interface Activity {
  /** `15:04:05` */
  readonly time: string;
  readonly message: string;
  readonly level: Level;
  readonly css_class: `activity-${Level}`;
}

export type Level = "info" | "success" | "warning";

export interface Measured {
  readonly figures: Figures;
  readonly at: Date;
  /** How fast this server answers. */
  readonly responseMs: number;
}

/** Every leaf is a text, and the keys are in this order. */
export function dashboardJson(
  { figures, at, responseMs }: Measured,
  activities: readonly Activity[],
) {
  return {
    system_status: {
      status: "online",
      uptime: uptimeText(figures.uptimeSeconds),
      last_check: timeOfDay(at),
      message: "System running normally",
    },
    metrics: {
      cpu: percent(figures.cpuPercent),
      memory: percent(figures.memoryPercent),
      disk: percent(figures.diskPercent),
      network: `${Math.round(figures.networkMbps)} Mbps`,
      response_time: `${Math.ceil(responseMs)}ms`,
    },
    activities,
    timestamp: timeOfDay(new Date()),
  };
}

export function activity(message: string, level: Level = "info"): Activity {
  return { time: timeOfDay(new Date()), message, level, css_class: `activity-${level}` };
}

function uptimeText(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  return `${counted(Math.floor(hours / 24), "day")}, ${counted(hours % 24, "hour")}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function percent(value: number): string {
  return `${Math.round(value)}%`;
}
