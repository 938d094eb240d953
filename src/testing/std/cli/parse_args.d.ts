/** What {@linkcode parseArgs} is told about the options it may meet. */
export interface ParseOptions {
  boolean?: readonly string[];
  string?: readonly string[];
  collect?: readonly string[];
  alias?: Readonly<Record<string, string | readonly string[]>>;
  default?: Readonly<Record<string, unknown>>;
  stopEarly?: boolean;
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** Options by name, and the arguments that are none under `_`. */
export declare function parseArgs(
  args: readonly string[],
  options?: ParseOptions,
): Record<string, unknown> & { _: (string | number)[] };
