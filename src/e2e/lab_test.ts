import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { type Channel, Lab, MachnetError } from "../../mod.ts";
import {
  alive,
  connectPair,
  skip,
  startFabric,
  until,
} from "../testing/hosts.ts";
import { logUniform, matches, pattern, random } from "../testing/pattern.ts";
import { startScript } from "../testing/script.ts";

/** Let what we start put its files there, until disposed. */
function useTemporary(directory: string): Disposable {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = directory;
  return {
    [Symbol.dispose](): void {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
      rmdirSync(directory);
    },
  };
}

test("Lab.start() joins three hosts, each with all others", {
  skip,
}, async () => {
  await using lab = await Lab.start({ hosts: 3, seed: 7 });
  assert.deepEqual(
    lab.hosts.map(({ address }) => address),
    ["10.90.0.1", "10.90.0.2", "10.90.0.3"],
  );
  const channels = await Promise.all(lab.hosts.map((host) => host.attach()));
  for (const [index, channel] of channels.entries()) {
    assert.equal(channel.address, lab.hosts[index]!.address);
    await using listener = await channel.listen({ port: 888 });
    for (const [other, from] of channels.entries()) {
      if (other === index) continue;
      const [client, server] = await connectPair({ client: from, listener });
      assert.equal(server.remote.hostname, lab.hosts[other]!.address);
      await client.send(pattern(other, 2000));
      using message = await server.receive();
      assert.ok(matches(message.data, other, 2000));
      await client.close();
    }
  }
  await Promise.all(channels.map((channel) => channel.close()));
});

test("Lab.start() makes a private directory, and leaves nothing", {
  skip,
}, async () => {
  const lab = await Lab.start({ hosts: 2 });
  const directory = dirname(lab.hosts[0]!.socket);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const pids = lab.hosts.map(({ pid }) => pid);
  pids.push(lab.fabricPid!);
  assert.ok(pids.every(alive));
  await lab.close();
  await lab.close();
  assert.ok(!existsSync(directory));
  assert.ok(!pids.some(alive));
});

test("host.stats() counts packets, in the sidecar and at the vNIC", {
  skip,
}, async () => {
  await using hosts = await startFabric();
  const [client, server] = await connectPair(hosts);
  await client.send(pattern(1, 100));
  using _ = await server.receive();
  await client.close();
  const { sidecar, vnic } = await hosts.sidecars[0]!.stats();
  assert.ok(Object.values(sidecar).every(Number.isFinite));
  assert.ok(Object.keys(sidecar).length > 5);
  assert.ok(sidecar["packets_received"]! > 0);
  assert.ok(vnic!.packets_received >= sidecar["packets_received"]!);
  assert.ok(vnic!.packets_sent > 0);
  assert.ok(vnic!.syns_sent === 0);
  const [, other] = await hosts.lab.stats();
  assert.ok(other!.syns_sent > 0);
});

test("messages survive loss, duplication, reordering and corruption", {
  skip,
}, async () => {
  await using hosts = await startFabric({
    seed: 7,
    loss: 0.01,
    duplicate: 0.01,
    reorder: 0.01,
    corrupt: 0.01,
    latencyUs: 20,
  });
  const [client, server] = await connectPair(hosts);
  const next = random(3);
  const sizes = Array.from({ length: 2000 }, () => logUniform(next, 16 * 1024));
  sizes.push(1 << 20);
  const sending = (async () => {
    for (const [number, size] of sizes.entries()) {
      await client.send(pattern(number, size));
    }
    await client.close({ timeout: 60_000 });
  })();
  let number = 0;
  for await (const message of server) {
    const size = sizes[number]!;
    assert.ok(matches(message.data, number, size), `message ${number}`);
    number++;
  }
  assert.equal(number, sizes.length);
  await sending;
  const stats = await hosts.lab.stats();
  const faults = ["drop_loss", "corrupted", "duplicated", "reordered"] as const;
  for (const name of faults) {
    const sum = stats.reduce((sum, vnic) => sum + vnic[name], 0);
    assert.ok(sum > 0, `${name}: ${JSON.stringify(stats)}`);
  }
});

test("kill -9 of the fabric is a host that stopped answering", {
  skip,
}, async () => {
  await using hosts = await startFabric();
  const [client, server] = await connectPair(hosts);
  process.kill(hosts.lab.fabricPid!, "SIGKILL");
  for (const end of [client, server]) {
    await assert.rejects(end.receive(), { code: "CONNECTION_LOST" });
  }
});

/** Say hello from one host to the other. */
async function greet(lab: Lab): Promise<void> {
  const [server, client] = await Promise.all(
    lab.hosts.map((host) => host.attach()),
  ) as [Channel, Channel];
  await using listener = await server.listen({ port: 888 });
  const [one, other] = await connectPair({ client, listener });
  await one.send(pattern(3, 3000));
  using message = await other.receive();
  assert.ok(matches(message.data, 3, 3000));
  await one.close();
  await Promise.all([server.close(), client.close()]);
}

test("Lab.start({ peerTimeoutMs }) says when a silent host is lost", {
  skip,
}, async () => {
  const labs = await Promise.all(
    [60_000, 100].map((peerTimeoutMs) => startFabric({ peerTimeoutMs })),
  );
  const lost: Promise<unknown>[] = [];
  for (const hosts of labs) {
    const [client] = await connectPair(hosts);
    lost.push(client.closed.catch(({ code }) => code));
    process.kill(hosts.sidecars[0]!.pid, "SIGKILL");
  }
  // The first one fell silent first.
  const patient = lost[0]!.then(() => assert.fail());
  assert.equal(await Promise.race([patient, lost[1]]), "CONNECTION_LOST");
  patient.catch(() => {});
  await Promise.all(labs.map(({ lab }) => lab.close()));
});

test("kill -9 of each process of a lab, and a clean start after it", {
  skip,
}, async () => {
  for (const victim of ["host 0", "host 1", "fabric", "all"]) {
    const lab = await Lab.start({ hosts: 2 });
    await greet(lab);
    const pids = [...lab.hosts.map(({ pid }) => pid), lab.fabricPid!];
    const killed = {
      "host 0": [pids[0]!],
      "host 1": [pids[1]!],
      "fabric": [pids[2]!],
    }[victim] ?? pids;
    for (const pid of killed) process.kill(pid, "SIGKILL");
    await lab.close();
    assert.ok(!pids.some(alive), victim);
    assert.ok(!existsSync(dirname(lab.hosts[0]!.socket)), victim);
  }
  await using lab = await Lab.start({ hosts: 2 });
  await greet(lab);
});

test("a script that is killed leaves nothing of its lab", {
  skip,
}, async () => {
  const script = startScript("lab_forever.ts", []);
  const line = await script.line();
  const pids = JSON.parse(line) as number[];
  assert.equal(pids.length, 3);
  assert.ok(pids.every(alive));
  const directory = await script.line();
  assert.ok(existsSync(directory));
  script.process.kill("SIGKILL");
  await until(() => !pids.some(alive));
  assert.ok(!existsSync(directory));
});

test("a lab needs no permission for the network", { skip }, async () => {
  const script = startScript("lab_permissions.ts", [], {
    permissions: [
      ...["--allow-ffi", "--allow-run", "--allow-read", "--allow-env"],
      "--allow-write=/tmp",
    ],
  });
  assert.equal(await script.line(), "counted");
  assert.equal(await script.ended, 0, script.stderr());
});

test("a lab that was forgotten does not keep the process alive", {
  skip,
}, async () => {
  const script = startScript("lab_forever.ts", ["end"]);
  const pids = JSON.parse(await script.line()) as number[];
  const directory = await script.line();
  assert.equal(await script.ended, 0);
  assert.ok(!existsSync(directory));
  await until(() => !pids.some(alive));
});

test("Lab.start() that is aborted leaves nothing", { skip }, async () => {
  const directory = mkdtempSync("/tmp/machnet-test-");
  using _ = useTemporary(directory);
  const controller = new AbortController();
  const { signal } = controller;
  const refused = assert.rejects(Lab.start({ hosts: 2, signal }), {
    name: "AbortError",
  });
  await until(() => readdirSync(directory).length > 0);
  controller.abort();
  await refused;
  assert.deepEqual(readdirSync(directory), []);
});

test("Lab.start() that fails shows what the program said", {
  skip,
}, async () => {
  // Its path is so long that no socket can be in it.
  using _ = useTemporary(mkdtempSync(`/tmp/machnet-${"x".repeat(100)}-`));
  await assert.rejects(
    Lab.start({ hosts: 2, wire: "direct" }),
    (error: MachnetError) => {
      assert.ok(error instanceof MachnetError);
      assert.equal(error.code, "SYSTEM_ERROR");
      assert.match(error.message, /^Cannot start machnetd: it ended with/);
      return true;
    },
  );
});
