/**
 * Simulates what it costs to land connections on their engines, and writes the
 * tables and the plot of docs/rss.md anew.
 *
 *     deno run --allow-all bench/rss_simulation.ts
 *     bun bench/rss_simulation.ts
 *
 * Nothing is measured: the figures are the same on every machine.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { readOptions } from "./options.ts";
import { ROOT } from "./processes.ts";
import { figures } from "./rss/figures.ts";

readOptions({
  purpose: "Makes the tables and the plot of docs/rss.md anew, by simulation.",
});
const document = resolve(ROOT, "docs/rss.md");
const { tables, plot } = await figures();
let text = readFileSync(document, "utf8");
for (const [name, table] of Object.entries(tables)) {
  console.log(`\n${table}`);
  text = text.replace(
    new RegExp(`(<!-- table: ${name} -->\n\n)(?:[|].*\n)*\n*`),
    (_, place: string) => `${place}${table}\n\n`,
  );
}
writeFileSync(document, text);
writeFileSync(resolve(ROOT, "docs/rss.svg"), plot);
