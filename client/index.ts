/** The client: `connect(url)` gives subscriptions that survive everything. Browser and Node. */
export { Client, connect, type ConnectOptions, type HeadersSource } from "./client.ts";
export { type SubscribeOptions, type TransportName } from "./client.ts";
export { type Connection } from "./connection.ts";
export type { ConnectionStatus } from "./status.ts";
export { type Callbacks, type SubscribedEvent, type Subscription } from "./subscription.ts";
export { type FailureCode, type Place, type TopicBatch, TransportError } from "./transport.ts";
export type { TopicEvent } from "./transport.ts";
