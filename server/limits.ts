/**
 * Every limit of the library: number, unit and reason, in one place. Flags override some of them
 * (config.ts); `new MemoryStore(…)` takes those of the log, `new Hub(store, { limits })` the others.
 * Imports nothing.
 */
export const DEFAULT_LIMITS = {
  // ── a topic's log
  historyEvents: 1024, // at 1 s a quarter of an hour
  historyBytes: 16 * 1024 * 1024, // per topic, whichever of the three is reached first
  historyAgeMs: Number.POSITIVE_INFINITY,
  topics: 1_000, // × historyBytes of JSON text, which takes several times that when parsed
  eventBytes: 64 * 1024, // one event's data as JSON

  // ── a read
  batchEvents: 1_000, // the largest `limit`
  batchBytes: 256 * 1024, // JSON of the events in one batch; always at least one event
  waitMs: 30_000, // the longest a poll is held; proxies cut idle requests at 60 s

  // ── subscriptions
  subscriptionCapacity: 256, // events that may wait for one polling subscription
  maxSubscriptionCapacity: 1_000_000, // events; the history ends it earlier
  leaseMs: 60_000, // a polling subscription's life without a poll
  subscriptions: 200_000, // polling ones, about 0.9 KiB each
  readers: 50_000, // tail and listen, all sessions together

  // ── HTTP
  pipelinedRequests: 64, // that wait for their turn on one connection; then it is closed

  // ── an HTTP batch at /api
  bodyBytes: 1024 * 1024,
  batchMessages: 2_000, // lines; a call with its pull is two
  answerBytes: 16 * 1024 * 1024, // what one batch, or one value in a session, may be answered
  batchMs: 65_000, // two full waits one after the other

  // ── publishing over the network
  idempotencyKeys: 10_000, // remembered, the newest; some 300 bytes each
  idempotencyMs: 10 * 60_000, // how long; a publisher that retries gives up long before

  // ── a Cap'n Web session (WebSocket) at /api
  sessions: 10_000,
  frameBytes: 1024 * 1024,
  sessionReaders: 1_000, // tail and listen in one session
  sessionWaits: 64, // polls held at once, in one session or one batch
  sessionCalls: 10_000, // results that the client has not released yet
  sessionBytes: 16 * 1024 * 1024, // calls and answers that the client has not released yet
  socketBytes: 256 * 1024, // of answers waiting in its socket before the server takes no more calls
  windowBytes: 256 * 1024, // written by a tail or listen and not yet answered; the library's window
  answerMs: 5_000, // their answers are put off so long, and as late one that ended is noticed
  promptMs: 100, // a callback that has returned by then keeps up, and is called ahead of its answers
  inboxMessages: 128, // received, not yet taken up, before the server stops reading

  // ── time
  reconnectMs: 5_000, // an EventSource comes back after 1/5 to 5/5 of this, so not all together
  heartbeatMs: 30_000, // proxies cut idle connections at 60 s (nginx proxy_read_timeout)
  pingMs: 54_000, // WebSocket ping; under the 60 s of proxies
  pongMs: 60_000, // a peer that has not answered a ping by then is dropped
};

export type Limits = Readonly<typeof DEFAULT_LIMITS>;
