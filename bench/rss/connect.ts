/** What connections cost until they are on their engines. */
import {
  type Channel,
  type ConnectionPath,
  Lab,
  type LabOptions,
} from "machnet";
import type { Figure } from "../figure.ts";
import { sleep } from "../load.ts";
import type { Effort, Part } from "../benchmark.ts";
import { Mesh } from "./mesh.ts";

/** How much of it. */
export interface KeysEffort extends Effort {
  /** Pairs of hosts with keys of their own. */
  readonly keys: number;
}

/** Packets of both sides together, at most: for a hash that can be learned, and
 * of the published method, which sprays. */
const LIMITS = [
  { engines: 4, learned: 18, published: 26, pairs: 4 },
  { engines: 8, learned: 22, published: 55, pairs: 2 },
  { engines: 16, learned: 26, published: 114, pairs: 2 },
] as const;
/** A hash that is not linear may take so much of what the published method does. */
const SPRAYED = 1.25;
const ROUNDS = 3;
const SETUP_US = 50_000;

const FIRST =
  "first connections between two hosts, each with a random key of " +
  "its own, from a random engine to another";

/** The first connection between two hosts, for each number of engines. */
export const first: readonly Part<KeysEffort>[] = LIMITS.map(
  ({ engines, learned, pairs }) => ({
    name: `first-${engines}`,
    conditions: FIRST,
    async measure({ keys }: KeysEffort): Promise<Figure[]> {
      const paths = await firstPaths({ queues: engines }, keys, pairs);
      const name = `${engines}x${engines} engines`;
      return [
        packets(name, paths, learned),
        {
          name: `${name}: round trips, 95th percentile`,
          value: percentile(paths.map(({ rounds }) => rounds), 95),
          target: { most: ROUNDS },
        },
        slowest(name, paths),
        share(name, paths),
      ];
    },
  }),
);

/** The first connection past hashes that can only be tried. */
export const sprayed: readonly Part<KeysEffort>[] = LIMITS.slice(0, 2)
  .map(({ engines, published, pairs }) => ({
    name: `sprayed-${engines}`,
    conditions: `${FIRST}; the hash is not linear`,
    async measure({ keys }: KeysEffort): Promise<Figure[]> {
      const options = { queues: engines, hash: "siphash" } as const;
      const paths = await firstPaths(options, keys, pairs);
      const name = `${engines}x${engines} engines`;
      return [packets(name, paths, SPRAYED * published), share(name, paths)];
    },
  }));

/** Connections between hosts of which one knows something. */
export const next: Part<KeysEffort> = {
  name: "next",
  conditions:
    "the next connections between two hosts with 4 engines each, 64 " +
    "over all pairs of engines, then the first to a third host",
  async measure({ keys }: KeysEffort): Promise<Figure[]> {
    const learned: ConnectionPath[] = [];
    const strange: ConnectionPath[] = [];
    let stray = 0;
    for (let seed = 0; seed < Math.max(1, keys / 8); seed++) {
      await using lab = await Lab.start({ hosts: 3, queues: 4, seed });
      await using mesh = await Mesh.open(lab.hosts, 4);
      const [opened] = await mesh.connect(1);
      learned.push(...(await mesh.connect(64)).map(({ path }) => path));
      await sleep(100);
      const before = await mesh.handedOver();
      await mesh.pass(10);
      stray += await mesh.handedOver() - before;
      await using other = await lab.hosts[2]!.attach({ engine: 1 });
      await using client = await lab.hosts[1]!.attach({
        engine: opened!.path.local,
      });
      strange.push(await connect(client, other));
    }
    return [
      {
        name: "packets of each of the next 64, on average",
        value: average(learned.map(({ probes }) => probes)),
        target: { most: 2.1 },
      },
      slowest("the next 64", learned),
      {
        name: "packets handed over from 100 ms after the last on",
        value: stray,
        target: { most: 0 },
      },
      {
        name: "packets of the first to a third host, on average",
        value: average(strange.map(({ probes }) => probes)),
        target: { most: 6 },
      },
    ];
  },
};

/** One for each pair of hosts; several pairs in a lab save time. */
async function firstPaths(
  options: Pick<LabOptions, "hash"> & { readonly queues: number },
  keys: number,
  pairs: number,
): Promise<ConnectionPath[]> {
  const paths: ConnectionPath[] = [];
  for (let seed = 1; paths.length < keys; seed++) {
    await using lab = await Lab.start({ ...options, hosts: 2 * pairs, seed });
    for (let pair = 0; pair < pairs; pair++) {
      const [server, client] = await Promise.all(
        lab.hosts.slice(2 * pair, 2 * pair + 2).map((host, side) =>
          // Neither the same everywhere nor the same as the other's.
          host.attach({ engine: (seed * (2 + side) + pair) % options.queues })
        ),
      ) as [Channel, Channel];
      paths.push(await connect(client, server));
      await Promise.all([server.close(), client.close()]);
    }
  }
  return paths;
}

async function connect(
  client: Channel,
  server: Channel,
): Promise<ConnectionPath> {
  await using listener = await server.listen({ port: 0 });
  const { hostname, port } = listener;
  const [connection, accepted] = await Promise.all([
    client.connect({ hostname, port }),
    listener.accept(),
  ]);
  const { path } = connection;
  await connection.close();
  await accepted.close();
  return path;
}

function packets(
  name: string,
  paths: readonly ConnectionPath[],
  most: number,
): Figure {
  return {
    name: `${name}: packets, 95th percentile`,
    value: percentile(paths.map(({ probes }) => probes), 95),
    target: { most },
  };
}

function slowest(name: string, paths: readonly ConnectionPath[]): Figure {
  return {
    name: `${name}: slowest`,
    value: Math.max(...paths.map(({ setupUs }) => setupUs)) / 1000,
    unit: "ms",
    target: { most: SETUP_US / 1000 },
  };
}

function share(name: string, paths: readonly ConnectionPath[]): Figure {
  const late = paths.filter(({ method }) => method === "handover");
  return {
    name: `${name}: opened by hand-over`,
    value: 100 * late.length / paths.length,
    unit: "%",
  };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The least value that so many percent are not above. */
function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(values.length * percent / 100) - 1]!;
}
