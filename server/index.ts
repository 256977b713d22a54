/**
 * The library: `import { Hub, MemoryStore, createApp, listen } from "capnweb-push"`. Each name is
 * documented where it is made.
 */
export { type App, type AppOptions, type Closable, createApp, type Router } from "./app.ts";
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

// For routes of your own, as the demos in server/demos/ have them.
export { farewell, type SseOptions, streamEvents } from "./transports/sse.ts";
export { streamFrames } from "./transports/websocket.ts";
export { closeReason } from "./wire/close-reason.ts";
export { deliver, type Delivery, type DeliveryOptions, type Sink } from "./wire/delivery.ts";
export {
  comment,
  EVENT_STREAM,
  eventBlock,
  type EventFields,
  type EventFormat,
} from "./wire/event-stream.ts";
export { handOver } from "./wire/hand-over.ts";
export { type HttpStream, openHttpStream } from "./wire/http-stream.ts";
export { refuseMethod } from "./wire/method.ts";
export { keepPinging } from "./wire/ping.ts";
export { acceptSocket, type Bindings, isHandshake, type Upgraded } from "./wire/upgrade.ts";
