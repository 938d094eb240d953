/** Figures, and what they must reach. */
import { type Column, digits, row } from "./table.ts";

/** One line of a table. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit?: string;
  /** Of several such, the least and the most. */
  readonly range?: readonly [number, number];
  /** What it must reach: at least, or at most. */
  readonly target?: { readonly least: number } | { readonly most: number };
  /** The best that anything could reach here, as measured in the same run. */
  readonly floor?: number;
}

/** Is it as good as it must be? */
export function reached({ value, target }: Figure): boolean {
  if (target === undefined) return true;
  return "least" in target ? value >= target.least : value <= target.most;
}

/** In words: `ok (at most 1.2)`, `MISSED (at least 2)`; nothing without a target. */
export function verdict(figure: Figure): string {
  const { target } = figure;
  if (target === undefined) return "";
  const bound = "least" in target
    ? `at least ${number(target.least)}`
    : `at most ${number(target.most)}`;
  return `${reached(figure) ? "ok" : "MISSED"} (${bound})`;
}

function number(value: number): string {
  return Number.isInteger(value) ? `${value}` : digits(value);
}

const COLUMNS: readonly Column[] = [
  { title: "", width: 62, align: "left" },
  { title: "", width: 9 },
  { title: "", width: 6, align: "left" },
  { title: "", width: 22, align: "left" },
  { title: "", width: 12, align: "left" },
  { title: "", width: 14, align: "left" },
];

/** One as a line: what it is, what it must reach, the best it could be, its range. */
export function figureLine(figure: Figure): string {
  const { name, value, unit = "", range, floor } = figure;
  return row(COLUMNS, [
    `  ${name}`,
    number(value),
    unit,
    verdict(figure),
    floor === undefined ? "" : `floor ${number(floor)}`,
    range === undefined ? "" : range.map(number).join(" to "),
  ]);
}

/** Print a line for each. */
export function printFigures(figures: readonly Figure[]): void {
  for (const figure of figures) console.log(figureLine(figure));
}
