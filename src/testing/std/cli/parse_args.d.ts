/** What {@linkcode parseArgs} is told about the options it may meet. */
export interface ParseOptions<Text extends string, Flag extends string> {
  /** Options with a value. */
  string?: readonly Text[];
  /** Options without one. */
  boolean?: readonly Flag[];
  /** Called for what is neither; what it returns decides about keeping it. */
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** Options by name, and the arguments that are none under `_`. */
export declare function parseArgs<
  Text extends string = never,
  Flag extends string = never,
>(
  args: readonly string[],
  options?: ParseOptions<Text, Flag>,
):
  & { [Name in Text]?: string }
  & { [Name in Flag]: boolean }
  & { _: (string | number)[] };
