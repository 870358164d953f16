/**
 * @since 0.1.0
 */
export * as Pool from "./Pool.ts"
export * as PoolError from "./PoolError.ts"
