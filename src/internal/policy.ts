/** The options as the machine reads them: numbers, all times in milliseconds, `Infinity` for "no limit". */
export interface Policy {
  readonly concurrency: number
  readonly order: "lifo" | "fifo"
  readonly borrowTimeout: number
  readonly maxWaiting: number
  readonly maxUses: number
  readonly maxCreating: number
  readonly createTimeout: number
  readonly destroyTimeout: number
  readonly idleTimeToLive: number
  readonly timeToLive: number
  readonly jitter: number
  readonly borrowWarning: number
  readonly borrowLimit: number
  /** `Infinity` where there is no health check. */
  readonly healthInterval: number
  /** `Infinity` where there is no health check. */
  readonly healthAfterIdle: number
  readonly healthTimeout: number
  readonly hookTimeout: number
  readonly hasCheck: boolean
  readonly hasBorrowHook: boolean
  readonly hasReturnHook: boolean
  /** A creation serves only the borrower it began for, and the object ends with the borrow. */
  readonly unpooled: boolean
  /** Places beyond `max` for objects on their way out while their replacement is there already. */
  readonly spare: number
}

/** Why an object was destroyed; the first reason counts. */
export type Reason =
  | "idle"
  | "lifetime"
  | "uses"
  | "unhealthy"
  | "invalidated"
  | "revoked"
  | "evicted"
  | "resized"
  | "failed"
  | "shutdown"
