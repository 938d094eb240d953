/** What the measurements of bench/transport.ts have in common. */
import type { Figure } from "../figure.ts";

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
