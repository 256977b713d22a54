/**
 * The library: `import { Hub, MemoryStore, createApp, listen } from "capnweb-push"`. Each name is
 * documented where it is made.
 */
export { type App, type AppOptions, createApp } from "./app.ts";
export type * from "./contract.ts";
export { METRICS_TOPIC } from "./contract.ts";
export { ERRORS, PushError } from "./errors.ts";
export { Hub, type HubOptions, type HubStats, type OnError } from "./hub.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export { type Listening, type ListenOptions, listen } from "./listen.ts";
export type { MaybePromise } from "./maybe-promise.ts";
export { type Cursor, formatCursor, parseCursor } from "./store/cursor.ts";
export { MemoryStore, type MemoryStoreOptions } from "./store/memory-store.ts";
export type { LogEnds, NewEvent, ReadLimits, ReadResult, Store } from "./store/store.ts";
export { type NextOptions, Subscription, type SubscriptionOptions } from "./subscription.ts";
