/** The tables and the plot of docs/rss.md, of what rss_simulate says. */
import { type Panel, plot } from "./plot.ts";
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

const STRATEGY_NAMES: Readonly<Record<Strategy, string>> = {
  spray: "spraying",
  flips: "single flips",
  learn: "learning",
};

/** Connections by what was known before, see rss_simulate. */
type Kind = "first" | "later" | "second";
const KINDS: readonly Kind[] = ["first", "later", "second"];
const KIND_NAMES: Readonly<Record<Kind, string>> = {
  first: "first",
  later: "later",
  second: "another host",
};

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
    plot: plot([enginesPanel(outcomes), peersPanel(outcomes)]),
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
      ...STRATEGIES.map((strategy) => STRATEGY_NAMES[strategy]),
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
      KINDS.map((kind) => [
        `${queues} x ${queues}`,
        KIND_NAMES[kind],
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

const COLORS: Readonly<Record<Strategy, string>> = {
  spray: "#8a8a8a",
  flips: "#c8702a",
  learn: "#0b6e99",
};

/** Packets of the first connection, by engines, for each strategy. */
function enginesPanel(outcomes: readonly Outcome[]): Panel {
  return {
    title: "First connection: packets that 95 of 100 do not exceed",
    label: "engines of each host",
    ticks: [5, 10, 20, 50, 100, 200, 500],
    lines: STRATEGIES.map((strategy) => ({
      name: STRATEGY_NAMES[strategy],
      color: COLORS[strategy],
      values: new Map(QUEUES.map((queues) => {
        const { first } = find(outcomes, { strategy, queues });
        return [queues, first.packets.p95];
      })),
    })),
  };
}

const KIND_COLORS: Readonly<Record<Kind, string>> = {
  first: "#0b6e99",
  later: "#8a8a8a",
  second: "#c8702a",
};

/** Packets of a connection, by peers, for each kind of connection. */
function peersPanel(outcomes: readonly Outcome[]): Panel {
  return {
    title: `Learning, ${HASH_QUEUES} engines: mean packets of a connection`,
    label: "hosts that connect to the same servers",
    ticks: [1, 2, 5, 10],
    lines: KINDS.map((kind) => ({
      name: KIND_NAMES[kind],
      color: KIND_COLORS[kind],
      values: new Map(PEERS.map((peers) => {
        const outcome = find(outcomes, { queues: HASH_QUEUES, peers });
        return [peers, outcome[kind]!.packets.mean];
      })),
    })),
  };
}
