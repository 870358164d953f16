/**
 * The situations: each is played with every pool, and says in a few words what happened, and whether that is what a
 * user would want. Some are here because other pools do better.
 */
import type { Borrow, Contender, Feature, Thing } from "./contenders.ts"
import { got, messageOf, never, type Outcome, sleep, within, type World } from "./world.ts"

export interface Finding {
  readonly fact: string
  readonly verdict: "good" | "poor" | "none"
}

export interface Situation {
  readonly name: string
  readonly play: (world: World, contender: Contender) => Promise<Finding>
}

const finding = (isGood: boolean, fact: string): Finding => ({ fact, verdict: isGood ? "good" : "poor" })

const missing = (what: string): Finding => ({ fact: what, verdict: "none" })

/** To ten milliseconds: a finer clock would tell more of the machine than of the pool. */
const time = (millis: number): string => millis < 20 ? "at once" : `after ${Math.round(millis / 10) * 10} ms`

const tell = (outcome: Outcome<unknown>, served = "served"): string =>
  outcome.is === "value"
    ? `${served} ${time(outcome.took)}`
    : outcome.is === "error"
    ? `fails ${time(outcome.took)}: ${short(outcome.message)}`
    : "nothing happens"

const short = (message: string): string => {
  const text = message.replace(/\b\d+(\.\d+)?m?s\b/g, "…").replaceAll("|", "/")
  return text.length > 110 ? `${text.slice(0, 107)}...` : text
}

const lacks = (contender: Contender, feature: Feature): boolean => !contender.has.includes(feature)

const quickly = (outcome: Outcome<unknown>, millis: number): boolean => outcome.is === "value" && outcome.took < millis

/** One after the other, as fast as they come. */
const borrowMany = (count: number, borrow: () => Borrow): Array<Borrow> => Array.from({ length: count }, borrow)

const ignore = (promise: Promise<unknown> | undefined): void => {
  promise?.catch(() => {})
}

export const situations: ReadonlyArray<Situation> = [
  {
    name: "Creating takes 300 ms; borrowers come at 0 and 10 ms",
    play: async (world) => {
      const pool = await world.pool({ max: 5, create: () => sleep(300) })
      const first = got(1500, pool.borrow())
      await sleep(10)
      const outcomes = await Promise.all([first, got(1500, pool.borrow())])
      return finding(outcomes.every((outcome) => quickly(outcome, 450)), outcomes.map((each) => tell(each)).join(", "))
    }
  },
  {
    name: "One creation never ends; others borrow",
    play: async (world) => {
      const pool = await world.pool({ max: 3, create: (attempt) => attempt === 0 ? never : sleep(20) })
      ignore(pool.borrow().object)
      await sleep(10)
      // each for a moment: the first object that is there may go to the one that waits longest
      const others = await Promise.all([1, 2].map(() => within(1000, pool.use(() => sleep(10)))))
      const served = others.filter((outcome) => outcome.is === "value").length
      return finding(served === 2, `${served} of 2 served`)
    }
  },
  {
    name: "The only place is taken by a creation that never ends",
    play: async (world, contender) => {
      if (lacks(contender, "createTimeout")) return missing("no limit for creations")
      const pool = await world.pool({
        max: 1,
        createTimeout: 200,
        create: (attempt) => attempt === 0 ? never : sleep(20)
      })
      const first = within(1500, pool.use(() => sleep(10)))
      await sleep(300)
      const second = await within(1500, pool.use(() => sleep(10)))
      return finding(second.is === "value", `the first ${tell(await first)}; one that comes later ${tell(second)}`)
    }
  },
  {
    name: "Two of two borrowed objects are broken, two wait, destroying takes 100 ms",
    play: async (world) => {
      const pool = await world.pool({ max: 2, create: () => sleep(20), destroy: () => sleep(100) })
      const borrows = borrowMany(2, pool.borrow)
      await Promise.all(borrows.map((borrow) => got(1000, borrow)))
      const waiting = borrowMany(2, pool.borrow).map((borrow) => got(1500, borrow))
      for (const borrow of borrows) ignore(borrow.invalidate())
      const outcomes = await Promise.all(waiting)
      const served = outcomes.filter((outcome) => outcome.is === "value").length
      return finding(served === 2 && world.peak <= 2, `${served} of 2 served, ${world.peak} objects at once with max 2`)
    }
  },
  {
    name: "An object takes 500 ms to be destroyed; there is another place",
    play: async (world) => {
      const pool = await world.pool({ max: 2, create: () => sleep(20), destroy: () => sleep(500) })
      const borrow = pool.borrow()
      await got(1000, borrow)
      ignore(borrow.invalidate())
      const next = await got(1500, pool.borrow())
      return finding(quickly(next, 300), `next ${tell(next)}`)
    }
  },
  {
    name: "Closing while a holder is stuck",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      await got(1000, pool.borrow())
      const outcome = await within(2000, pool.close(300))
      return finding(outcome.is === "value", outcome.is === "nothing" ? "never ends" : tell(outcome, "closed"))
    }
  },
  {
    name: "Closing while somebody waits",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      await got(1000, pool.borrow())
      const waiting = got(1500, pool.borrow())
      await sleep(10)
      ignore(pool.close(300))
      const outcome = await waiting
      return finding(outcome.is === "error" && /clos/i.test(outcome.message), `the waiter: ${tell(outcome)}`)
    }
  },
  {
    name: "Borrowing from a closed pool",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      await pool.close(300)
      const outcome = await got(1000, pool.borrow())
      return finding(outcome.is === "error" && /clos|drain/i.test(outcome.message), tell(outcome))
    }
  },
  {
    name: "The function that has borrowed an object throws",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      const seen: Array<Thing> = []
      await pool.use(async (thing) => {
        seen.push(thing)
        throw new Error("no idea what it has done")
      }).catch(() => {})
      await pool.use(async (thing) => void seen.push(thing))
      return finding(
        seen[0] !== seen[1],
        seen[0] === seen[1] ? "the object is lent again" : "the next gets another object"
      )
    }
  },
  {
    name: "The first two creations fail, nobody borrows, min is 2",
    play: async (world) => {
      await world.pool({
        max: 4,
        min: 2,
        create: (attempt) => attempt < 2 ? Promise.reject(new Error("down")) : sleep(1)
      })
      await sleep(1500)
      return finding(world.alive === 2, `${world.alive} of 2 there after 1.5 s`)
    }
  },
  {
    name: "An outage: 100 borrowers, every attempt fails after 100 ms, max 10",
    play: async (world) => {
      const pool = await world.pool({
        max: 10,
        patience: 1500,
        create: async () => {
          await sleep(100)
          throw new Error("down")
        }
      })
      const began = performance.now()
      const borrows = borrowMany(100, pool.borrow)
      let last = 0
      let told = 0
      await Promise.race([
        sleep(2500),
        Promise.all(borrows.map(({ object }) =>
          object.catch(() => {
            told++
            last = performance.now() - began
          })
        ))
      ])
      return finding(
        told === 100 && world.attempts <= 20,
        `${world.attempts} attempts, ${told} told, the last ${time(last)}`
      )
    }
  },
  {
    name: "The first attempt fails, the next would not: one borrower",
    play: async (world) => {
      const pool = await world.pool({
        max: 2,
        patience: 1500,
        retries: 3,
        create: (attempt) => attempt === 0 ? Promise.reject(new Error("down")) : sleep(1)
      })
      const outcome = await got(2000, pool.borrow())
      return finding(outcome.is === "value", tell(outcome))
    }
  },
  {
    name: "max is 0, min is 5",
    play: async (world) => {
      try {
        await world.pool({ max: 0, min: 5 })
        await sleep(100)
        return finding(false, `accepted; ${world.alive} objects`)
      } catch (error) {
        return finding(true, `refused: ${short(messageOf(error))}`)
      }
    }
  },
  {
    name: "Ten objects made together reach an age of 1 s",
    play: async (world, contender) => {
      if (lacks(contender, "lifetime")) return missing("no greatest age")
      const pool = await world.pool({ max: 10, min: 10, lifetime: 1000 })
      const borrows = borrowMany(10, pool.borrow)
      await Promise.all(borrows.map((borrow) => got(500, borrow)))
      await Promise.all(borrows.map((borrow) => borrow.giveBack()))
      await sleep(1400)
      const times = world.unmadeAt.slice(0, 10)
      if (times.length < 10) return finding(false, `${times.length} of 10 destroyed`)
      const spread = Math.max(...times) - Math.min(...times)
      return finding(spread >= 10, `all destroyed within ${Math.round(spread)} ms`)
    }
  },
  {
    name: "Twenty wait for one object, more come at each return",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      const first = pool.borrow()
      await got(1000, first)
      const order: Array<number> = []
      let arrivals = 0
      const wait = async (): Promise<void> => {
        const arrival = arrivals++
        const borrow = pool.borrow()
        if ((await got(1500, borrow)).is !== "value") return
        order.push(arrival)
        const newcomer = arrivals < 40 ? wait() : undefined
        await borrow.giveBack()
        await newcomer
      }
      const all = Array.from({ length: 20 }, wait)
      await first.giveBack()
      await within(2000, Promise.all(all))
      const inOrder = order.every((arrival, i) => arrival === i)
      return finding(
        inOrder && order.length === 40,
        `${order.length} of 40 served, ${inOrder ? "in order" : "out of order"}`
      )
    }
  },
  {
    name: "The second of three that wait gives up",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      const holder = pool.borrow()
      await got(1000, holder)
      const [first, second, third] = borrowMany(3, pool.borrow)
      ignore(second?.object)
      if (second?.giveUp === undefined) return missing("nobody can give up")
      await second.giveUp()
      await holder.giveBack()
      const served = await got(500, first!)
      await first!.giveBack()
      const outcome = await got(500, third!)
      return finding(
        served.is === "value" && outcome.is === "value",
        `the first ${tell(served)}, the third ${tell(outcome)}`
      )
    }
  },
  {
    name: "A borrower gives up at the moment it is served",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      const holder = pool.borrow()
      await got(1000, holder)
      const waiting = pool.borrow()
      ignore(waiting.object)
      await sleep(10)
      if (waiting.giveUp === undefined) return missing("nobody can give up")
      const given = holder.giveBack()
      ignore(waiting.giveUp())
      await given
      const outcome = await got(1000, pool.borrow())
      return finding(outcome.is === "value", `the next ${tell(outcome)}`)
    }
  },
  {
    name: "An object comes into being after its borrower has timed out",
    play: async (world) => {
      const pool = await world.pool({ max: 1, patience: 50, create: () => sleep(150) })
      const impatient = await got(1000, pool.borrow())
      await sleep(250)
      const next = await got(1000, pool.borrow())
      return finding(
        impatient.is === "error" && next.is === "value" && world.attempts === 1,
        `the next ${tell(next)}, ${world.attempts} made`
      )
    }
  },
  {
    name: "The object that is there fails its check",
    play: async (world, contender) => {
      if (lacks(contender, "checks")) return missing("no checks")
      const pool = await world.pool({ max: 1, check: async ({ id }) => id > 0 })
      const first = pool.borrow()
      await got(1000, first)
      await first.giveBack()
      await sleep(20)
      const outcome = await got(1500, pool.borrow())
      return finding(outcome.is === "value" && outcome.value.id > 0, `another ${tell(outcome)}`)
    }
  },
  {
    name: "A check never ends",
    play: async (world, contender) => {
      if (lacks(contender, "checks")) return missing("no checks")
      let well = true
      const pool = await world.pool({
        max: 1,
        patience: 1000,
        checkTimeout: 100,
        check: () => well ? sleep(1).then(() => true) : never
      })
      const first = pool.borrow()
      await got(1000, first)
      await first.giveBack()
      await sleep(20)
      well = false
      ignore(pool.use(() => sleep(10)))
      await sleep(300)
      well = true
      const outcome = await got(1500, pool.borrow())
      return finding(outcome.is === "value", `the next ${tell(outcome)}`)
    }
  },
  {
    name: "Smaller and larger while it is in use",
    play: async (world) => {
      const pool = await world.pool({ max: 3 })
      if (pool.resize === undefined) return missing("bounds cannot change")
      const borrows = borrowMany(3, pool.borrow)
      await Promise.all(borrows.map((borrow) => got(500, borrow)))
      await pool.resize(1)
      await Promise.all(borrows.map((borrow) => borrow.giveBack()))
      await sleep(50)
      const { alive } = world
      const one = await got(500, pool.borrow())
      const two = got(500, pool.borrow())
      await pool.resize(2)
      const outcome = await two
      return finding(
        alive === 1 && one.is === "value" && outcome.is === "value",
        `3 to 1: ${alive} there; 1 to 2: the waiter ${tell(outcome)}`
      )
    }
  },
  {
    name: "What a timeout says",
    play: async (world) => {
      const pool = await world.pool({ max: 1, patience: 100 })
      await got(1000, pool.borrow())
      const outcome = await got(1500, pool.borrow())
      if (outcome.is !== "error") return finding(false, tell(outcome))
      return finding(/in use|waiting|held/.test(outcome.message), `“${short(outcome.message)}”`)
    }
  },
  {
    name: "One may wait, a second one comes",
    play: async (world, contender) => {
      if (lacks(contender, "maxWaiting")) return missing("no limit of the queue")
      const pool = await world.pool({ max: 1, maxWaiting: 1 })
      await got(1000, pool.borrow())
      ignore(pool.borrow().object)
      const outcome = await got(500, pool.borrow())
      return finding(outcome.is === "error" && outcome.took < 100, tell(outcome))
    }
  },
  {
    name: "An object is returned twice, the second time when the next has it",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      const first = pool.borrow()
      await got(1000, first)
      await first.giveBack()
      const second = pool.borrow()
      await got(1000, second)
      if (first.giveBackAgain === undefined) return finding(true, "nobody can: there is no return by hand")
      ignore(first.giveBackAgain())
      const third = await got(300, pool.borrow())
      return finding(
        third.is !== "value",
        third.is === "value" ? "lent to two at once" : "the second return does nothing"
      )
    }
  },
  {
    name: "A holder forgets to return the only object",
    play: async (world, contender) => {
      if (lacks(contender, "borrowLimit")) return missing("no limit of a borrow")
      const pool = await world.pool({ max: 1, borrowLimit: 200 })
      await got(1000, pool.borrow())
      const outcome = await got(1500, pool.borrow())
      return finding(outcome.is === "value", `the next ${tell(outcome)}`)
    }
  },
  {
    name: "A borrower that must not queue",
    play: async (world) => {
      const pool = await world.pool({ max: 1 })
      if (pool.borrowUrgently === undefined) return missing("all are equal")
      const holder = pool.borrow()
      await got(1000, holder)
      const waiting = pool.borrow()
      ignore(waiting.object)
      const urgent = got(500, pool.borrowUrgently())
      await holder.giveBack()
      const outcome = await urgent
      return finding(outcome.is === "value", `overtakes: ${tell(outcome)}`)
    }
  },
  {
    name: "Two are to be idle, whatever is lent",
    play: async (world, contender) => {
      if (lacks(contender, "minIdle")) return missing("min counts those lent too")
      const pool = await world.pool({ max: 10, minIdle: 2 })
      await Promise.all(borrowMany(3, pool.borrow).map((borrow) => got(500, borrow)))
      await sleep(100)
      return finding(world.alive === 5, `3 lent, ${world.alive - 3} idle`)
    }
  },
  {
    name: "Of a shared object, one takes all shares for a while",
    play: async (world, contender) => {
      if (lacks(contender, "shares")) return missing("objects are not shared")
      const pool = await world.pool({ max: 1, shares: 3 })
      const borrow = pool.borrow()
      await got(500, borrow)
      if (borrow.reserve === undefined) return missing("shared, but not reserved")
      await borrow.reserve()
      const other = await got(200, pool.borrow())
      return finding(other.is === "nothing", other.is === "nothing" ? "others wait" : tell(other))
    }
  }
]
