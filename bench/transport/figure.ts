/** What the measurements of bench/transport.ts have in common. */

/** One line of the table. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit?: string;
  /** What it must reach: at least, or at most. */
  readonly target?: { readonly least: number } | { readonly most: number };
}

/** How much of it. */
export interface Effort {
  /** Of measuring at a time. */
  readonly seconds: number;
  /** How often everything is measured; the medians count. */
  readonly rounds: number;
  /** Connections that idle. */
  readonly idle: number;
}

/** A part of the benchmark. */
export interface Measurement {
  /** What it is called on the command line. */
  readonly name: string;
  /** Under what conditions it measures. */
  readonly conditions: string;
  measure(effort: Effort): Promise<Figure[]>;
}

/** Is it as good as it must be? */
export function reached({ value, target }: Figure): boolean {
  if (target === undefined) return true;
  return "least" in target ? value >= target.least : value <= target.most;
}
