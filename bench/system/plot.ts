/** A plot of the results, as SVG. */
import { logarithmic, svg, text } from "../svg.ts";
import { contenderName, type Result } from "./results.ts";

const WIDTH = 1000;
const LABEL_WIDTH = 240;
const GAP = 40;
const ROW_HEIGHT = 18;
const HEADING_HEIGHT = 48;
const PANEL_WIDTH = (WIDTH - LABEL_WIDTH - 2 * GAP) / 2;

/** Dark for machnet, light for the others. */
function color({ transport }: Result): string {
  return transport.startsWith("machnet") ? "#0b6e99" : "#b0b0b0";
}

/** Bars from p50 to p99.9, a tick at p99. */
function latency(results: readonly Result[], x: number): string[] {
  const least = Math.min(...results.map(({ latencyUs }) => latencyUs.p50)) / 2;
  const most = Math.max(...results.map(({ latencyUs }) => latencyUs.p999));
  return results.flatMap((result, index) => {
    const y = HEADING_HEIGHT + index * ROW_HEIGHT;
    const { p50, p99, p999 } = result.latencyUs;
    const [from, tick, to] = [p50, p99, p999].map((value) =>
      x + PANEL_WIDTH * logarithmic(value, least, most)
    ) as [number, number, number];
    return [
      `<rect x="${from}" y="${y + 4}" width="${Math.max(1, to - from)}" ` +
      `height="${ROW_HEIGHT - 8}" fill="${color(result)}"/>`,
      `<rect x="${tick}" y="${y + 2}" width="2" height="${ROW_HEIGHT - 4}"/>`,
      text(from - 4, y + 13, p50.toFixed(1), "end"),
    ];
  });
}

/** Bars of requests per second. */
function rates(
  results: readonly Result[],
  x: number,
  rows: string[],
): string[] {
  const most = Math.max(...results.map((each) => each.requestsPerSecond));
  return results.flatMap((result) => {
    const index = rows.indexOf(contenderName(result));
    if (index < 0) return [];
    const y = HEADING_HEIGHT + index * ROW_HEIGHT;
    const width = 0.8 * PANEL_WIDTH * result.requestsPerSecond / most;
    const label = `${Math.round(result.requestsPerSecond / 1000)}k`;
    return [
      `<rect x="${x}" y="${y + 4}" width="${width}" ` +
      `height="${ROW_HEIGHT - 8}" fill="${color(result)}"/>`,
      text(x + width + 4, y + 13, label),
    ];
  });
}

/** Latency at window 1 and requests per second at window 32, of 64 B. */
export function plot(results: readonly Result[]): string {
  const small = results.filter(({ size }) => size === 64);
  const single = small.filter(({ window }) => window === 1);
  const many = small.filter(({ window }) => window === 32);
  const rows = single.map(contenderName);
  const height = HEADING_HEIGHT + rows.length * ROW_HEIGHT + 10;
  const [left, right] = [LABEL_WIDTH, LABEL_WIDTH + PANEL_WIDTH + GAP];
  return svg(WIDTH, height, [
    text(left, 20, "64 B, one at a time: p50 to p99.9, tick at p99, us (log)"),
    text(right, 20, "64 B, 32 under way: requests per second"),
    ...rows.map((name, index) =>
      text(
        LABEL_WIDTH - GAP,
        HEADING_HEIGHT + index * ROW_HEIGHT + 13,
        name,
        "end",
      )
    ),
    ...latency(single, left),
    ...rates(many, right, rows),
  ]);
}
