/** Throws an `AssertionError` with `message` unless `expression` is truthy. */
export declare function assert(
  expression: unknown,
  message?: string,
): asserts expression;
