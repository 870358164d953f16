/** What each ratio must not exceed: ours to `effect/Pool`, unless the case says otherwise. */
export const targets: Readonly<Record<string, number>> = {
  "use, nobody waits": 0.8,
  "scoped get, nobody waits": 1,
  "use, 100 over 10": 0.4,
  "scoped get, 100 over 10": 0.57,
  "use, 10,000 over 10": 0.37,
  "scoped get, 10,000 over 10": 0.5,
  "use, 1,000 over 1,000": 0.92,
  "scoped get, 1,000 over 1,000": 1.05,
  "use, 100 over 10, body a resolved promise": 0.33,
  "use, 100 over 10, body setImmediate": 0.4,
  "use with a timeout that does not fire, 100 over 10": 0.2,
  "10,000 waiters time out at one deadline": 0.17,
  "10,000 waiters interrupted: use": 0.33,
  "10,000 waiters interrupted: scoped get": 0.67,
  "make and close a pool of 10": 0.33,
  "heap of an idle object": 0.5,
  "heap of a waiter": 0.5,
  "heap of a held lease": 2,
  "a forwarded call in a held Scope / the method of a plain service": 1,
  "idleTimeToLive, timeToLive and borrowWarning switched on / off": 1.05,
  "metrics read / not read": 1.05,
  "a borrow among 100,000 waiters / among 1,000": 2
}

/** Against libraries of promises, in each case that both can do. */
export const otherTarget = 1

/** A ratio may miss its target by so much before `--check` fails: what this kind of machine adds by itself. */
export const tolerance = 1.1
