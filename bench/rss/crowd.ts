/** Many clients at once. */
import { Lab } from "machnet";
import type { Figure } from "../figure.ts";
import { sleep } from "../load.ts";
import type { Effort, Part } from "../benchmark.ts";

const HOSTS = 16;
const ENGINES = 4;

/** What their probes do to RX queues of 256. */
export const crowd: Part = {
  name: "crowd",
  conditions: `${HOSTS * ENGINES} clients, one on each of ${ENGINES} engines ` +
    `of ${HOSTS} hosts, all connect at once to a host that they do not know`,
  async measure({ rounds }: Effort): Promise<Figure[]> {
    const all: Crowd[] = [];
    for (let seed = 1; seed <= rounds; seed++) all.push(await connect(seed));
    const most = (name: keyof Crowd): number =>
      Math.max(...all.map((each) => each[name]));
    return [
      { name: "clients connected", value: HOSTS * ENGINES },
      {
        name: "SYNs dropped at full RX queues",
        value: most("synsDropped"),
        target: { most: 0 },
      },
      { name: "packets dropped at full RX queues", value: most("dropped") },
      { name: "SYNs of all clients, at most", value: most("syns") },
      { name: "until all are open, at most", value: most("ms"), unit: "ms" },
    ];
  },
};

interface Crowd {
  readonly synsDropped: number;
  readonly dropped: number;
  readonly syns: number;
  readonly ms: number;
}

async function connect(seed: number): Promise<Crowd> {
  await using lab = await Lab.start({
    hosts: 1 + HOSTS,
    queues: ENGINES,
    profile: "lcd",
    seed,
  });
  const [host, ...others] = lab.hosts;
  const server = await host!.attach();
  const listener = await server.listen({ port: 888 });
  const clients = await Promise.all(
    others.flatMap((other) =>
      Array.from({ length: ENGINES }, (_, engine) => other.attach({ engine }))
    ),
  );
  await sleep(500);
  const begun = performance.now();
  const { hostname, port } = listener;
  const ends = await Promise.all([
    Promise.all(
      clients.map((each) => each.connect({ hostname, port, timeout: 10_000 })),
    ),
    Promise.all(clients.map(() => listener.accept())),
  ]);
  const ms = performance.now() - begun;
  const vnics = await lab.stats();
  const sum = (name: "drop_depth_syn" | "drop_depth" | "syns_sent"): number =>
    vnics.reduce((total, vnic) => total + vnic[name], 0);
  // Those that opened by hand-over are still being searched for.
  await Promise.all(ends.flat().map((each) => each.close()));
  await Promise.all([server, ...clients].map((each) => each.close()));
  return {
    synsDropped: sum("drop_depth_syn"),
    dropped: sum("drop_depth"),
    syns: sum("syns_sent"),
    ms,
  };
}
