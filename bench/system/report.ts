/** Tables of the results. */
import { type Column, digits, heading, messageSize, row } from "../table.ts";
import { contenderName, type Result } from "./results.ts";

const NAME: Column = { title: "", width: 27, align: "left" };

function short(value: number): string {
  return value >= 1e5 ? `${Math.round(value / 1000)}k` : digits(value);
}

/** What is published of the system that this one is compared with. */
function printLatency(results: readonly Result[]): void {
  const single = results.filter(({ window }) => window === 1);
  const all = [...new Set(single.map(({ size }) => size))];
  const sizes = [all[0], all.at(-1)].filter((size, index, both) =>
    size !== undefined && both.indexOf(size) === index
  ) as number[];
  const columns = [
    NAME,
    ...sizes.flatMap((size) =>
      ["p50", "p99", "p99.9"].map((title) => ({
        title: `${messageSize(size)} ${title}`,
        width: 11,
      }))
    ),
  ];
  console.log("\nRound trips, one at a time, in microseconds\n");
  console.log(heading(columns));
  for (const name of new Set(single.map(contenderName))) {
    const cells = sizes.flatMap((size) => {
      const result = single.find((each) =>
        each.size === size && contenderName(each) === name
      );
      if (result === undefined) return ["", "", ""];
      const { p50, p99, p999 } = result.latencyUs;
      return [p50, p99, p999].map(short);
    });
    console.log(row(columns, [name, ...cells]));
  }
}

const COLUMNS: readonly Column[] = [
  NAME,
  { title: "requests/s", width: 10 },
  ...["p50", "p90", "p99", "p99.9", "max"].map((title) => {
    return { title, width: 6 };
  }),
  { title: "CPU s/100k", width: 10 },
  { title: "packets", width: 7 },
  { title: "switches", width: 8 },
  { title: "cores ns", width: 8 },
  { title: "yield us", width: 8 },
  { title: "starts", width: 6 },
  { title: "spread", width: 6 },
  { title: "", width: 12, align: "left" },
];

function printLoad(results: readonly Result[]): void {
  const [{ size, window }] = results as readonly [Result];
  console.log(
    `\n${messageSize(size)}, window ${window}: latency in microseconds, ` +
      "packets and context switches per request and reply, " +
      "the machine's own speed; medians of so many starts, of which the best " +
      "was so many times the worst\n",
  );
  console.log(heading(COLUMNS));
  for (const result of results) {
    const { p50, p90, p99, p999, max } = result.latencyUs;
    const { coresNs, yieldNs } = result.machine;
    console.log(row(COLUMNS, [
      contenderName(result),
      `${Math.round(result.requestsPerSecond)}`,
      ...[p50, p90, p99, p999, max].map(short),
      short(result.cpuSecondsPer100k),
      short(result.packetsPerRequest),
      short(result.switchesPerRequest),
      `${coresNs}`,
      short(yieldNs / 1000),
      `${result.starts}`,
      short(result.spread),
      result.disturbedStarts > 0 ? `disturbed ${result.disturbedStarts}` : "",
    ]));
  }
}

/** Print all of them. */
export function printResults(results: readonly Result[]): void {
  const loads = Object.groupBy(
    results,
    ({ size, window }) => `${size} ${window}`,
  );
  for (const load of Object.values(loads)) printLoad(load!);
  printLatency(results);
}
