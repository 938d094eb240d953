import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { attach, Lab } from "../../mod.ts";
import {
  alive,
  connectPair,
  type Hosts,
  PATIENCE_MS,
  skip,
  startHosts,
  until,
} from "../testing/hosts.ts";
import { type Script, startScript } from "../testing/script.ts";

test("attach() without a sidecar says where it looked", async () => {
  await assert.rejects(attach({ socket: "/tmp/no-such-machnet.sock" }), {
    name: "MachnetError",
    code: "SIDECAR_NOT_RUNNING",
    message: /\/tmp\/no-such-machnet\.sock/,
  });
});

test("kill -9 of a sidecar fails every pending call", { skip }, async () => {
  await using hosts = await startHosts();
  const [client, server] = await connectPair(hosts);
  await client.send(new TextEncoder().encode("held"));
  const message = await server.receive();
  const view = message.data;
  const { server: channel, listener, sidecars } = hosts;
  // The second one waits for the first to be accepted.
  const full = await hosts.client.listen({ port: 889, backlog: 1 });
  const place = { hostname: full.hostname, port: 889, timeout: PATIENCE_MS };
  await channel.connect(place);
  const pending = [
    server.receive(),
    server.closed,
    listener.accept(),
    channel.connect(place),
    (async () => {
      for (;;) await server.send(new Uint8Array(1 << 20));
    })(),
  ];
  await until(() => !server.trySend(new Uint8Array(1 << 20)));
  process.kill(sidecars[0]!.pid, "SIGKILL");
  // No timeout would say this.
  await Promise.all(pending.map((promise) =>
    assert.rejects(promise, {
      name: "MachnetError",
      code: "SIDECAR_GONE",
      message: /the sidecar ended without a word$/,
    })
  ));
  await assert.rejects(channel.listen({ port: 5 }), { code: "SIDECAR_GONE" });
  assert.throws(() => server.trySend(new Uint8Array(1)), {
    code: "SIDECAR_GONE",
  });
  assert.throws(() => message.data, { code: "SIDECAR_GONE" });
  assert.ok(view.every((byte) => byte === 0));
  view.fill(7);
  assert.ok(view.every((byte) => byte === 7));
  client.reset(); // its peer is silent: closing would wait for it
});

test("SIGTERM of a sidecar says so, and resets its peers", {
  skip,
}, async () => {
  await using hosts = await startHosts();
  const [client, server] = await connectPair(hosts);
  const pending = [
    assert.rejects(server.receive(), { code: "SIDECAR_STOPPED" }),
    assert.rejects(client.receive(), { code: "CONNECTION_RESET" }),
  ];
  const { pid, socket } = hosts.sidecars[0]!;
  process.kill(pid, "SIGTERM");
  await Promise.all(pending);
  await until(() => !alive(pid));
  assert.ok(!existsSync(socket), "the control socket stayed behind");
});

test("kill -9 of an application resets its peers, frees its port", {
  skip,
}, async () => {
  await using hosts = await startHosts();
  const { client, sidecars, server } = hosts;
  const script = startScript("hold.ts", [sidecars[0]!.socket]);
  assert.equal(await script.line(), "listening");
  const connection = await client.connect({
    hostname: server.address,
    port: 999,
    timeout: PATIENCE_MS,
  });
  for (let count = 0; count < 100; count++) {
    await connection.send(new Uint8Array(10_000));
  }
  await assert.rejects(server.listen({ port: 999 }), {
    code: "ADDRESS_IN_USE",
  });
  script.process.kill("SIGKILL");
  // Silence would be CONNECTION_LOST.
  await assert.rejects(connection.closed, { code: "CONNECTION_RESET" });
  await using again = await server.listen({ port: 999 });
  assert.equal(again.port, 999);
});

test("attach() works again after a sidecar was killed and restarted", {
  skip,
}, async () => {
  const lab = await Lab.start({ hosts: 2, wire: "direct" });
  const { pid, socket } = lab.hosts[1]!;
  process.kill(pid, "SIGKILL");
  await until(() => !alive(pid));
  assert.ok(existsSync(socket), "kill -9 leaves the file");
  await assert.rejects(attach({ socket }), { code: "SIDECAR_NOT_RUNNING" });
  await lab.close();
  assert.ok(!existsSync(socket));
  await using next = await Lab.start({ hosts: 2, wire: "direct" });
  await using channel = await next.hosts[1]!.attach();
  assert.equal(channel.address, "10.90.0.2");
});

test("attach() works with --allow-ffi alone", { skip }, async () => {
  await using hosts = await startHosts();
  const { sidecars, listener } = hosts;
  const script = startScript("echo_once.ts", [
    sidecars[1]!.socket,
    listener.hostname,
  ], { permissions: ["--allow-ffi"] });
  const connection = await Promise.race([
    listener.accept(),
    script.ended.then(() => assert.fail(script.stderr())),
  ]);
  using message = await connection.receive();
  await connection.send(message.data);
  assert.equal(await script.line(), "hello");
  assert.equal(await script.ended, 0);
});

/** A process that left something open. */
async function leave(
  { sidecars, listener }: Hosts,
  what: string,
): Promise<Script> {
  const { socket } = sidecars[1]!;
  const parameters = [socket, what, listener.hostname];
  const script = startScript("process_exit.ts", parameters);
  assert.equal(await script.line(), "left");
  return script;
}

for (
  const what of ["channel", "reset", "unref-listener", "unref-connection"]
) {
  test(`a process ends when what is open is: ${what}`, { skip }, async () => {
    await using hosts = await startHosts();
    const script = await leave(hosts, what);
    assert.equal(await script.ended, 0);
  });
}

test("a process ends although messages stream, after unref()", {
  skip,
}, async () => {
  await using hosts = await startHosts();
  const leaving = leave(hosts, "unref-reader");
  const server = await hosts.listener.accept();
  const streaming = assert.rejects(async () => {
    for (;;) await server.send(new Uint8Array(64));
  }, { code: "CONNECTION_RESET" });
  const script = await leaving;
  assert.equal(await script.ended, 0);
  await streaming;
});

test("a process ends although a request had a timeout, after unref()", {
  skip,
}, async () => {
  await using hosts = await startHosts();
  const leaving = leave(hosts, "unref-answered");
  const server = await hosts.listener.accept();
  server.serve(({ data }) => data);
  assert.equal(await (await leaving).ended, 0);
});

test("a process lives until the timeout of a request, after unref()", {
  skip,
}, async () => {
  await using hosts = await startHosts();
  const script = await leave(hosts, "unref-asker");
  assert.equal(await script.line(), "TIMED_OUT");
  assert.equal(await script.ended, 0);
});

for (
  const what of ["connection", "reader", "listener"].flatMap((what) => [
    what,
    `ref-${what}`,
  ])
) {
  test(`a process lives while what is open is: ${what}`, {
    skip,
  }, async () => {
    await using hosts = await startHosts();
    const script = await leave(hosts, what);
    // Who begins later and has nothing to live for ends before it.
    const other = await leave(hosts, "channel");
    assert.equal(await other.ended, 0);
    assert.equal(await Promise.race([script.ended, "alive"]), "alive");
    script.process.kill("SIGKILL");
    await script.ended;
  });
}
