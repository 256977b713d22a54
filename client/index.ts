/** The client: `connect(url)` keeps a Cap'n Web session to a server alive. Browser and Node. */
export { backoffDelay, type BackoffOptions } from "./backoff.ts";
export { connect, Connection, type ConnectionStatus, type ConnectOptions } from "./connection.ts";
export type { WebSocketLike } from "./socket-transport.ts";
