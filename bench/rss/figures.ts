/** The tables and the plot of docs/rss.md, of what rss_simulate says. */
import { logarithmic, svg, text } from "../svg.ts";
import {
  type Hash,
  type Outcome,
  type Setting,
  simulate,
  type Strategy,
} from "./simulation.ts";

const QUEUES = [2, 4, 8, 16, 32, 64];
const PEERS = [1, 10, 100, 1000, 10_000];
const STRATEGIES: readonly Strategy[] = ["spray", "flips", "learn"];
const HASHES: readonly Hash[] = [
  "toeplitz",
  "crc",
  "nonlinear",
  "table",
  "no-ports",
];

/** Engines in the tables about the number of peers and about the hash. */
const MANY_PEERS_QUEUES = [4, 16, 64];
const HASH_QUEUES = 16;

/** First connections of each setting. */
const CONNECTIONS = 1000;
/** Connections between the same hosts after the first one. */
const LATER = 4;

/** What docs/rss.md shows. */
export interface Figures {
  /** Tables in markdown, by the names that their places have. */
  readonly tables: Readonly<Record<string, string>>;
  /** SVG. */
  readonly plot: string;
}

/** What is not learned costs the same each time. */
function setting(
  strategy: Strategy,
  hash: Hash,
  queues: number,
  peers: number,
): Setting {
  const later = strategy === "learn" ? LATER : 0;
  return { strategy, hash, queues, peers, later };
}

const SETTINGS: readonly Setting[] = [
  ...STRATEGIES.flatMap((strategy) =>
    QUEUES.map((queues) => setting(strategy, "toeplitz", queues, 1))
  ),
  ...MANY_PEERS_QUEUES.flatMap((queues) =>
    PEERS.slice(1).map((peers) => setting("learn", "toeplitz", queues, peers))
  ),
  ...HASHES.slice(1).flatMap((hash) =>
    (["learn", "spray"] as const).map((strategy) =>
      setting(strategy, hash, HASH_QUEUES, 1)
    )
  ),
];

/** Simulate all that docs/rss.md shows: the same each time. */
export async function figures(): Promise<Figures> {
  const outcomes = await simulate(SETTINGS, CONNECTIONS);
  return {
    tables: {
      engines: enginesTable(outcomes),
      peers: peersTable(outcomes),
      hashes: hashesTable(outcomes),
    },
    plot: plot(outcomes),
  };
}

function find(
  outcomes: readonly Outcome[],
  { strategy = "learn", hash = "toeplitz", queues, peers = 1 }:
    & Partial<Setting>
    & Pick<Setting, "queues">,
): Outcome {
  return outcomes.find((each) =>
    each.strategy === strategy && each.hash === hash &&
    each.queues === queues && each.peers === peers
  )!;
}

/** A table as dprint formats it: so many columns of text, then numbers. */
function table(
  rows: readonly (readonly (string | number)[])[],
  texts: number = 1,
): string {
  const cells = rows.map((row) => row.map(String));
  const widths = cells[0]!.map((_, column) =>
    Math.max(3, ...cells.map((row) => row[column]!.length))
  );
  const line = (row: readonly string[]): string =>
    `| ${
      row.map((cell, column) =>
        column < texts
          ? cell.padEnd(widths[column]!)
          : cell.padStart(widths[column]!)
      ).join(" | ")
    } |`;
  const rule = widths.map((width, column) =>
    column < texts ? "-".repeat(width) : `${"-".repeat(width - 1)}:`
  );
  const [heading, ...rest] = cells;
  return [heading!, rule, ...rest].map(line).join("\n");
}

function mean(value: { readonly mean: number }): string {
  return value.mean.toFixed(1);
}

function percent(part: number, whole: number): string {
  return `${(100 * part / whole).toFixed(1)} %`;
}

/** Packets of the first connection that 95 of 100 do not exceed, by strategy,
 * and what learning makes of the connections after it. */
function enginesTable(outcomes: readonly Outcome[]): string {
  return table([
    [
      "engines",
      "spraying",
      "single flips",
      "learning",
      "... mean",
      "... rounds",
      "later, mean",
      "another host, mean",
    ],
    ...QUEUES.map((queues) => {
      const of = (strategy: Strategy): Outcome =>
        find(outcomes, { strategy, queues });
      const { first, later, second } = of("learn");
      return [
        `${queues} x ${queues}`,
        ...STRATEGIES.map((strategy) => of(strategy).first.packets.p95),
        mean(first.packets),
        first.rounds.p95,
        mean(later!.packets),
        mean(second.packets),
      ];
    }),
  ]);
}

/** Mean packets of learning, by the number of hosts that the servers meet. */
function peersTable(outcomes: readonly Outcome[]): string {
  return table([
    [
      "engines",
      "connection",
      ...PEERS.map((peers) => peers === 1 ? "1 peer" : `${peers}`),
    ],
    ...MANY_PEERS_QUEUES.flatMap((queues) =>
      ([["first", "first"], ["later", "later"], [
        "second",
        "another host",
      ]] as const).map(([kind, name]) => [
        `${queues} x ${queues}`,
        name,
        ...PEERS.map((peers) =>
          mean(find(outcomes, { queues, peers })[kind]!.packets)
        ),
      ])
    ),
  ], 2);
}

const HASH_NAMES: Readonly<Record<Hash, string>> = {
  toeplitz: "Toeplitz, table filled round robin",
  crc: "CRC-32C: linear, but not Toeplitz",
  nonlinear: "not linear",
  table: "Toeplitz, table filled at random",
  "no-ports": "Toeplitz, ports left out",
};

/** What learning costs where its theory does not hold. */
function hashesTable(outcomes: readonly Outcome[]): string {
  return table([
    [
      "hash",
      "spraying",
      "learning",
      "later, mean",
      "opened by hand-over",
      "stayed so",
    ],
    ...HASHES.map((hash) => {
      const of = (strategy: Strategy): Outcome =>
        find(outcomes, { strategy, hash, queues: HASH_QUEUES });
      const { first, later } = of("learn");
      return [
        HASH_NAMES[hash],
        of("spray").first.packets.p95,
        first.packets.p95,
        mean(later!.packets),
        percent(first.off, first.connections),
        percent(first.lost, first.connections),
      ];
    }),
  ]);
}

const WIDTH = 640;
const HEIGHT = 340;
const LEFT = 56;
const RIGHT = 130;
const TOP = 36;
const BOTTOM = 44;
const PACKETS_LEAST = 4;
const PACKETS_MOST = 1000;

function x(queues: number): number {
  return LEFT + (WIDTH - LEFT - RIGHT) * logarithmic(queues, 2, 64);
}

function y(packets: number): number {
  const share = logarithmic(packets, PACKETS_LEAST, PACKETS_MOST);
  return Math.round(10 * (HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share)) /
    10;
}

const LINES: readonly (readonly [Strategy, string, string])[] = [
  ["spray", "#8a8a8a", "spraying"],
  ["flips", "#c8702a", "single flips"],
  ["learn", "#0b6e99", "learning"],
];

/** Packets of the first connection, 95th percentile, over engines. */
function plot(outcomes: readonly Outcome[]): string {
  const ticks = [5, 10, 20, 50, 100, 200, 500, 1000];
  return svg(WIDTH, HEIGHT, [
    text(
      LEFT,
      20,
      "Packets of a first connection, both sides, 95th percentile (log)",
    ),
    ...ticks.flatMap((packets) => [
      `<path d="M${LEFT} ${y(packets)}H${WIDTH - RIGHT}" stroke="#e0e0e0"/>`,
      text(LEFT - 8, y(packets) + 4, `${packets}`, "end"),
    ]),
    ...QUEUES.map((queues) =>
      text(x(queues), HEIGHT - BOTTOM + 18, `${queues}`, "middle")
    ),
    text(x(Math.sqrt(128)), HEIGHT - 8, "engines of each host", "middle"),
    ...LINES.flatMap(([strategy, color, name]) => {
      const points = QUEUES.map((queues) => {
        const { packets } = find(outcomes, { strategy, queues }).first;
        return [x(queues), y(packets.p95)] as const;
      });
      const [endX, endY] = points.at(-1)!;
      return [
        `<polyline points="${points.join(" ")}" fill="none" ` +
        `stroke="${color}" stroke-width="2"/>`,
        ...points.map(([cx, cy]) =>
          `<circle cx="${cx}" cy="${cy}" r="3" fill="${color}"/>`
        ),
        text(endX + 10, endY + 4, name),
      ];
    }),
  ]);
}
