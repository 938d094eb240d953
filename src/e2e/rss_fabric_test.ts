// Landing connections on their engines behind the vNICs of a fabric.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lab, type LabOptions } from "../../mod.ts";
import { PATIENCE_MS, skip, until } from "../testing/hosts.ts";
import { Mesh } from "../testing/mesh.ts";

const vnics: readonly (Partial<LabOptions> & { readonly queues: number })[] = [
  { queues: 4 },
  { queues: 8 },
  { queues: 3 },
  { queues: 6 },
  { queues: 12 },
  { queues: 4, table: "shuffled" },
  { queues: 4, hash: "siphash" },
  { queues: 4, profile: "ec2" },
  { queues: 4, profile: "azure" },
];
for (const [seed, options] of vnics.entries()) {
  test(`engines find their queues: ${JSON.stringify(options)}`, {
    skip,
  }, async () => {
    await using lab = await Lab.start({ hosts: 2, seed, ...options });
    await using mesh = await Mesh.open(lab.hosts, options.queues);
    await mesh.settle();
  });
}

test("connections open where the hash ignores UDP ports", {
  skip,
}, async () => {
  await using lab = await Lab.start({
    hosts: 2,
    queues: 4,
    hash: "no-udp-ports",
    seed: 3,
  });
  await using mesh = await Mesh.open(lab.hosts, 4);
  let left = 500;
  await mesh.pass(() => --left > 0);
  const methods = mesh.pairs.map(([{ path }]) => path.method);
  const lucky = methods.filter((method) => method !== "handover").length;
  assert.equal(lucky, 1, `${methods}`); // the one queue on either side
  assert.ok(await mesh.handedOver() > 500);
});

test("connections open from behind a firewall", { skip }, async () => {
  await using lab = await Lab.start({ hosts: 2, queues: 4, firewall: [1] });
  await using mesh = await Mesh.open(lab.hosts, 4);
  let left = 500;
  await mesh.pass(() => --left > 0);
  assert.ok((await lab.stats())[1]!.drop_firewall > 0);
});

// Answers alone come in: to connections that begin inside, which then carry
// messages both ways.
test("a firewall of the server's keeps out what it did not ask for", {
  skip,
}, async () => {
  await using lab = await Lab.start({ hosts: 2, queues: 4, firewall: [0] });
  const [server, client] = lab.hosts;
  {
    await using inside = await server!.attach();
    await using outside = await client!.attach();
    await using listener = await inside.listen({ port: 900 });
    const { hostname, port } = listener;
    await assert.rejects(
      outside.connect({ hostname, port, timeout: 500 }),
      { code: "CONNECTION_TIMED_OUT", message: /UDP ports 30720 to 31743/ },
    );
  }
  assert.ok((await lab.stats())[0]!.drop_firewall > 0);
  await using mesh = await Mesh.open([client!, server!], 4);
  let left = 500;
  await mesh.pass(() => --left > 0);
});

/** Do something to a lab while messages pass. */
async function disturb(
  mesh: Mesh,
  disturbance: () => Promise<void>,
): Promise<void> {
  let through = false;
  const passing = mesh.pass(() => !through);
  try {
    await disturbance();
  } finally {
    through = true;
  }
  await passing;
}

test("connections go back to their engines after lab.rekey()", {
  skip,
}, async () => {
  await using lab = await Lab.start({ hosts: 2, queues: 4, seed: 5 });
  await using mesh = await Mesh.open(lab.hosts, 4);
  for (let time = 0; time < 3; time++) {
    const before = await mesh.handedOver();
    await disturb(mesh, async () => {
      await lab.rekey();
      await until(async () => await mesh.handedOver() > before);
    });
    await mesh.settle();
  }
  assert.ok(mesh.pairs.some(([{ path }]) => path.moves > 0));
});

test("connections survive the synthetic path, and go back from it", {
  skip,
}, async () => {
  await using lab = await Lab.start({ hosts: 2, queues: 4, seed: 6 });
  await using mesh = await Mesh.open(lab.hosts, 4);
  await disturb(mesh, async () => {
    await lab.synthetic(0, { ms: 60_000 });
    const before = await mesh.handedOver();
    await until(async () => await mesh.handedOver() >= before + 100);
  });
  await lab.synthetic(0, { ms: 0 });
  await mesh.settle();
  assert.ok((await lab.stats())[0]!.synthetic > 0);
});

test("connections survive a cable that comes and goes", {
  skip,
}, async () => {
  await using lab = await Lab.start({
    ...{ hosts: 2, queues: 4, seed: 7 },
    peerTimeoutMs: PATIENCE_MS,
  });
  await using mesh = await Mesh.open(lab.hosts, 4);
  /** Wait until a host has more of something than before. */
  const more = async (
    host: number,
    name: "packets_received" | "drop_link_down",
  ): Promise<void> => {
    const count = async (): Promise<number> => (await lab.stats())[host]![name];
    const before = await count();
    await until(async () => await count() > before);
  };
  await disturb(mesh, async () => {
    for (let time = 0; time < 5; time++) {
      await lab.cut(time % 2, { ms: PATIENCE_MS });
      await more(time % 2, "drop_link_down");
      await lab.cut(time % 2, { ms: 0 });
      await more(time % 2, "packets_received");
    }
  });
  await mesh.settle();
});
