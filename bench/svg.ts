/** What plots have in common: SVG that is legible on light and dark pages. */

/** A whole picture of these elements, on white. */
export function svg(
  width: number,
  height: number,
  elements: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" ` +
    `height="${height}" font-family="sans-serif" font-size="11">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...elements,
    "</svg>\n",
  ].join("\n");
}

/** A line of text whose baseline begins, ends or is centred at a point. */
export function text(
  x: number,
  y: number,
  content: string,
  anchor: "start" | "middle" | "end" = "start",
): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${content}</text>`;
}

/** Where a value lies on a logarithmic scale from `least`, 0, to `most`, 1. */
export function logarithmic(
  value: number,
  least: number,
  most: number,
): number {
  return Math.log(value / least) / Math.log(most / least);
}
