/** The plot of docs/rss.md, of what rss_simulate says. */
import { logarithmic, svg, text } from "../svg.ts";

/** Values by what stands on the horizontal axis, and how they are drawn. */
export interface Line {
  readonly name: string;
  readonly color: string;
  readonly values: ReadonlyMap<number, number>;
}

/** One of the pictures, which stand side by side. Both scales are
 * logarithmic. */
export interface Panel {
  readonly title: string;
  /** Of the horizontal axis. */
  readonly label: string;
  /** Of the vertical axis, from the lowest to the highest. */
  readonly ticks: readonly number[];
  readonly lines: readonly Line[];
}

const PANEL_WIDTH = 480;
const HEIGHT = 320;
const LEFT = 44;
const RIGHT = 92;
const TOP = 36;
const BOTTOM = 44;
const NAME_HEIGHT = 14;

function draw({ title, label, ticks, lines }: Panel, left: number): string[] {
  const [from, to] = [left + LEFT, left + PANEL_WIDTH - RIGHT];
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  const keys = [...lines[0]!.values.keys()];
  const x = (key: number): number =>
    round(from + (to - from) * logarithmic(key, keys[0]!, keys.at(-1)!));
  const y = (value: number): number =>
    round(
      HEIGHT - BOTTOM -
        (HEIGHT - TOP - BOTTOM) * logarithmic(value, low, high),
    );
  return [
    text(from, 20, title),
    ...ticks.flatMap((tick) => [
      `<path d="M${from} ${y(tick)}H${to}" stroke="#e0e0e0"/>`,
      text(from - 8, y(tick) + 4, `${tick}`, "end"),
    ]),
    ...keys.map((key) =>
      text(x(key), HEIGHT - BOTTOM + 18, `${key}`, "middle")
    ),
    text((from + to) / 2, HEIGHT - 8, label, "middle"),
    ...names(lines, y).map(([name, at]) => text(to + 10, at + 4, name)),
    ...lines.flatMap(({ color, values }) => {
      const points = [...values].map(([key, value]) => [x(key), y(value)]);
      return [
        `<polyline points="${points.join(" ")}" fill="none" ` +
        `stroke="${color}" stroke-width="2"/>`,
        ...points.map(([cx, cy]) =>
          `<circle cx="${cx}" cy="${cy}" r="3" fill="${color}"/>`
        ),
      ];
    }),
  ];
}

/** The names of lines, and at which heights they stand: where the lines end, but
 * not one over another. */
function names(
  lines: readonly Line[],
  y: (value: number) => number,
): (readonly [string, number])[] {
  let above = 0;
  return lines
    .map(({ name, values }) => [name, y([...values.values()].at(-1)!)] as const)
    .toSorted(([, a], [, b]) => a - b)
    .map(([name, at]) => {
      above = Math.max(at, above + NAME_HEIGHT);
      return [name, above];
    });
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}

/** Panels, side by side, as SVG. */
export function plot(panels: readonly Panel[]): string {
  return svg(
    PANEL_WIDTH * panels.length,
    HEIGHT,
    panels.flatMap((panel, index) => draw(panel, index * PANEL_WIDTH)),
  );
}
