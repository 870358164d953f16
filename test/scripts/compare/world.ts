/** What a situation needs: things that are made and unmade as it likes, and what is seen of them. */
import type { Borrow, Contender, Options, Subject, Thing } from "./contenders.ts"

/** Of real time: the other pools count in nothing else, and what is compared is what their users see. */
export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

export const never: Promise<never> = new Promise(() => {})

/** What became of something within so many milliseconds. */
export type Outcome<A> =
  | { readonly is: "value"; readonly value: A; readonly took: number }
  | { readonly is: "error"; readonly message: string; readonly took: number }
  | { readonly is: "nothing" }

export const within = async <A>(millis: number, promise: Promise<A>): Promise<Outcome<A>> => {
  const began = performance.now()
  const took = () => performance.now() - began
  return Promise.race([
    promise.then(
      (value): Outcome<A> => ({ is: "value", value, took: took() }),
      (error: unknown): Outcome<A> => ({ is: "error", message: messageOf(error), took: took() })
    ),
    sleep(millis).then((): Outcome<A> => ({ is: "nothing" }))
  ])
}

export const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message || error.name : String(error)).split("\n")[0]!

export class World {
  /** Creations that have begun, the failed ones included. */
  attempts = 0
  made = 0
  /** Made, and not unmade completely. */
  alive = 0
  peak = 0
  /** When each was unmade. */
  readonly unmadeAt: Array<number> = []
  private readonly contender: Contender
  private readonly subjects: Array<Subject> = []

  constructor(contender: Contender) {
    this.contender = contender
  }

  /** A pool of things: `create` runs before one is made, `destroy` before it is unmade. */
  async pool({ create, destroy, ...options }: Partial<Omit<Options, "create" | "destroy">> & {
    readonly max: number
    readonly create?: (attempt: number) => Promise<unknown>
    readonly destroy?: (thing: Thing) => Promise<unknown>
  }): Promise<Subject> {
    const subject = await this.contender.make({
      ...options,
      create: async () => {
        const attempt = this.attempts++
        await create?.(attempt)
        this.alive++
        this.peak = Math.max(this.peak, this.alive)
        return { id: this.made++ }
      },
      destroy: async (thing) => {
        await destroy?.(thing)
        this.alive--
        this.unmadeAt.push(performance.now())
      }
    })
    this.subjects.push(subject)
    return subject
  }

  /** Nobody waits for what a situation leaves behind. */
  leave(): void {
    for (const subject of this.subjects) subject.close(0).catch(() => {})
  }
}

/** What was borrowed within so many milliseconds. */
export const got = (millis: number, borrow: Borrow): Promise<Outcome<Thing>> => within(millis, borrow.object)
