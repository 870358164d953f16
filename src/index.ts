/**
 * @since 0.1.0
 */
export * as KeyedPool from "./KeyedPool.ts"
export * as Pool from "./Pool.ts"
export * as PoolError from "./PoolError.ts"
export * as Proxy from "./Proxy.ts"
