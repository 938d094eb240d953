import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import {
  Lab,
  type LabOptions,
  type VnicQueueStats,
  type VnicStats,
} from "../../mod.ts";
import {
  connectPair,
  PATIENCE_MS,
  skip,
  startFabric,
  until,
} from "../testing/hosts.ts";
import { matches, pattern } from "../testing/pattern.ts";

test("Lab.start() refuses options that do not go together", async () => {
  const refused: [Partial<LabOptions>, RegExp][] = [
    [{ queues: 0 }, /queues/],
    [{ queues: [1, 2, 3] }, /queues/],
    [{ queues: 65 }, /queues/],
    [{ firewall: [2] }, /firewall/],
    [{ profile: "aws" as "ec2" }, /profile/],
    [{ hash: "md5" as "siphash" }, /hash/],
    [{ packetsPerSecond: -1 }, /packetsPerSecond/],
    [{ wire: "direct", queues: 4 }, /queues/],
    [{ wire: "direct", profile: "lcd" }, /profile/],
  ];
  for (const [options, field] of refused) {
    const start = Lab.start({ hosts: 2, ...options });
    await assert.rejects(start, (error: Error) => {
      assert.ok(error instanceof TypeError || error instanceof RangeError);
      assert.match(error.message, /^Cannot start lab/);
      assert.match(error.message, field);
      return true;
    });
  }
});

test("a profile says what hosts are like, and options come before it", {
  skip,
}, async () => {
  await using ec2 = await Lab.start({ hosts: 2, profile: "ec2" });
  await using gcp = await Lab.start({
    hosts: 2,
    profile: "gcp",
    queues: [2, 3],
    mtu: 1500,
  });
  const queues = async (lab: Lab): Promise<number[]> =>
    (await lab.stats()).map(({ queues }) => queues.length);
  assert.deepEqual(await queues(ec2), [4, 4]);
  assert.deepEqual(await queues(gcp), [2, 3]);
  assert.equal(ec2.mtu, 9001);
  assert.equal(gcp.mtu, 1500);
});

test("lab.stats() has each counter that the fabric has, and no other", {
  skip,
}, async () => {
  const queue: Record<keyof VnicQueueStats, 0> = {
    packets_received: 0,
    bytes_received: 0,
    drop_depth: 0,
    drop_depth_syn: 0,
  };
  const vnic: Record<keyof Omit<VnicStats, "queues">, 0> = {
    ...queue,
    packets_sent: 0,
    bytes_sent: 0,
    syns_sent: 0,
    flooded: 0,
    drop_malformed: 0,
    drop_mtu: 0,
    drop_same_port: 0,
    drop_in_flight: 0,
    drop_loss: 0,
    drop_bandwidth: 0,
    drop_packet_rate: 0,
    drop_link_down: 0,
    corrupted: 0,
    duplicated: 0,
    reordered: 0,
    ecn_marked: 0,
    drop_firewall: 0,
    synthetic: 0,
    rekeyed: 0,
  };
  await using lab = await Lab.start({ hosts: 1, queues: 2 });
  const names = (value: object): string[] => Object.keys(value).sort();
  const [{ queues, ...counters }] = await lab.stats() as [VnicStats];
  assert.deepEqual(names(counters), names(vnic));
  assert.deepEqual(queues.map(names), [names(queue), names(queue)]);
  assert.ok(Object.values(counters).every(Number.isSafeInteger));
});

test("messages pass every profile", { skip }, async () => {
  for (const profile of ["lcd", "azure", "ec2", "gcp", "ideal"] as const) {
    await using hosts = await startFabric({ profile });
    const [client, server] = await connectPair(hosts);
    await client.send(pattern(1, 100_000));
    using message = await server.receive();
    assert.equal(message.data.length, 100_000, profile);
    await client.close();
  }
});

test("lab.rekey() counts at the hosts it was asked for", {
  skip,
}, async () => {
  await using lab = await Lab.start({ hosts: 2, queues: 4 });
  await lab.rekey();
  await lab.rekey(1);
  const stats = await lab.stats();
  assert.deepEqual(stats.map(({ rekeyed }) => rekeyed), [1, 2]);
});

test("lab.cut() stops a host for a time, and nothing is lost", {
  skip,
}, async () => {
  await using hosts = await startFabric({ peerTimeoutMs: PATIENCE_MS });
  const [client, server] = await connectPair(hosts);
  await client.send(pattern(0, 100));
  (await server.receive()).release();
  await hosts.lab.cut(1, { ms: PATIENCE_MS });
  await client.send(pattern(1, 100));
  let received = false;
  const receiving = server.receive().finally(() => received = true);
  await until(async () => (await hosts.lab.stats())[1]!.drop_link_down > 0);
  assert.equal(received, false);
  await hosts.lab.cut(1, { ms: 0 });
  using message = await receiving;
  assert.ok(matches(message.data, 1, 100));
  await client.close();
});

test("lab.setFirewall() keeps connections out, lab.setHash() does not", {
  skip,
}, async () => {
  await using hosts = await startFabric();
  const { lab, client, listener } = hosts;
  const { hostname, port } = listener;
  const place = { hostname, port, timeout: PATIENCE_MS };
  await lab.setHash(0, "siphash");
  await (await client.connect(place)).close();
  await lab.setFirewall(0, true);
  const controller = new AbortController();
  const { signal } = controller;
  const refused = assert.rejects(client.connect({ ...place, signal }), {
    name: "AbortError",
  });
  await until(async () => (await lab.stats())[0]!.drop_firewall > 0);
  controller.abort();
  await refused;
  await lab.setFirewall(0, false);
  await (await client.connect(place)).close();
});

test("lab.synthetic() sends what a host receives another way", {
  skip,
}, async () => {
  await using hosts = await startFabric();
  await hosts.lab.synthetic(0, { ms: 60_000 });
  const [client] = await connectPair(hosts);
  assert.ok((await hosts.lab.stats())[0]!.synthetic > 0);
  await client.close();
});

test("orders name what is wrong with them", { skip }, async () => {
  await using lab = await Lab.start({ hosts: 2 });
  await assert.rejects(lab.rekey(2), {
    name: "RangeError",
    message: /^Cannot re-key a host: [^]*host/,
  });
  await assert.rejects(lab.cut(0, { ms: -1 }), {
    name: "RangeError",
    message: /^Cannot cut a cable: [^]*ms/,
  });
  await assert.rejects(lab.setHash(0, "md5" as "siphash"), {
    name: "TypeError",
    message: /^Cannot set a hash: [^]*hash/,
  });
  process.kill(lab.fabricPid!, "SIGKILL");
  await assert.rejects(lab.rekey(), {
    name: "MachnetError",
    code: "SYSTEM_ERROR",
    message: /^Cannot re-key all hosts: /,
  });
  await using direct = await Lab.start({ hosts: 2, wire: "direct" });
  assert.deepEqual(await direct.stats(), []);
  await assert.rejects(direct.rekey(), {
    name: "TypeError",
    message: "Cannot re-key all hosts: a direct wire has no fabric",
  });
});
