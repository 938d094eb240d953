/** Rejects with a `TimeoutError` when `promise` has not settled in `ms`. */
export declare function deadline<T>(
  promise: Promise<T>,
  ms: number,
  options?: { signal?: AbortSignal },
): Promise<T>;
