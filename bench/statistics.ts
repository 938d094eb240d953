/** What is quoted of several measurements. */

/** The one in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const { length } = sorted;
  return (sorted[(length - 1) >> 1]! + sorted[length >> 1]!) / 2;
}

/** The median of each number in several results. */
export function medians<Name extends string>(
  results: readonly Readonly<Record<Name, number>>[],
): Record<Name, number> {
  const names = Object.keys(results[0]!) as Name[];
  return Object.fromEntries(
    names.map((name) => [name, median(results.map((all) => all[name]))]),
  ) as Record<Name, number>;
}
