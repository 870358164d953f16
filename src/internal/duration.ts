const tenths = (value: number): number => Math.round(value * 10) / 10

/**
 * A duration of so many milliseconds for people: in seconds, below one second in `ms`, with at most one decimal.
 * What rounds up to a second is one (`999.96` is `1s`, never `1000ms`).
 */
export const formatDuration = (millis: number): string => {
  if (!Number.isFinite(millis)) return String(millis)
  const rounded = tenths(millis)
  return Math.abs(rounded) < 1000 ? `${rounded}ms` : `${tenths(millis / 1000)}s`
}
