/** Tables for terminals. */

/** A column: its title, and how wide it is. */
export interface Column {
  readonly title: string;
  readonly width: number;
  /** Text stands left, numbers right, which is the default. */
  readonly align?: "left" | "right";
}

/** One line of a table, without spaces at its end. */
export function row(
  columns: readonly Column[],
  cells: readonly string[],
): string {
  return columns.map(({ width, align }, index) => {
    const cell = cells[index] ?? "";
    return align === "left" ? cell.padEnd(width) : cell.padStart(width);
  }).join("  ").trimEnd();
}

/** The line above the others. */
export function heading(columns: readonly Column[]): string {
  return row(columns, columns.map(({ title }) => title));
}

/** A number with as many digits as mean something. */
export function digits(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** A size of a message: `64 B`, and `32 kB` for 32768 bytes. */
export function messageSize(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${bytes / 1024} kB`;
}

/** Nanoseconds as microseconds, with as many digits as mean something. */
export function microseconds(nanoseconds: number): string {
  const value = nanoseconds / 1000;
  return value.toFixed(value < 100 ? 1 : 0);
}
