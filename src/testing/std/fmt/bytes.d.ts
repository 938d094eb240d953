/** Writes a number of bytes for people: `1337` as `1.34 kB`. */
export declare function format(
  bytes: number,
  options?: { binary?: boolean; bits?: boolean; signed?: boolean },
): string;
