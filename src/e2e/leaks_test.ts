import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { Engine, Lab } from "../../mod.ts";
import {
  catchWarnings,
  collectGarbage,
  collectUntil,
} from "../testing/garbage.ts";
import {
  connectPair,
  type Hosts,
  PATIENCE_MS,
  skip,
  startHosts,
} from "../testing/hosts.ts";

// All tests of this file share two hosts; the last one stops them.
const hosts: Hosts = skip === false ? await startHosts() : {} as Hosts;

/** What is said of an object that was leaked. */
function warning(label: string): string {
  return `machnet: ${label} was not closed, and nothing refers to it any ` +
    'more, so it is closed here. Call close(), or declare it "await using"';
}

/** Leave something behind, and wait until it is reported: once. */
async function leak(
  label: string,
  open: () => Promise<unknown>,
): Promise<void> {
  using warnings = catchWarnings();
  await (async () => void await open())();
  assert.ok(await collectUntil(() => warnings.lines.length > 0), label);
  await collectGarbage();
  assert.deepEqual(warnings.lines, [warning(label)]);
}

test("a leaked connection is closed and reported", { skip }, async () => {
  const { client, listener } = hosts;
  const { hostname, port } = listener;
  await leak(
    `connection to ${hostname}:${port}`,
    () => client.connect({ hostname, port, timeout: PATIENCE_MS }),
  );
  const server = await listener.accept();
  await server.closed;
});

test("a leaked listener is closed and reported", { skip }, async () => {
  const { server } = hosts;
  await leak(
    `listener on ${server.address}:4711`,
    () => server.listen({ port: 4711 }),
  );
  await using again = await server.listen({ port: 4711 });
  assert.equal(again.port, 4711);
});

test("a leaked channel is closed and reported", { skip }, async () => {
  const sidecar = hosts.sidecars[1]!;
  const channels = async (): Promise<number> =>
    (await sidecar.stats()).sidecar["channels"]!;
  const before = await channels();
  await leak(
    `channel to the sidecar at ${sidecar.address}`,
    () => sidecar.attach(),
  );
  while (await channels() > before) await collectGarbage();
});

test("a leaked lab is closed and reported", { skip }, async () => {
  let folder = "";
  await leak("lab", async () => {
    const lab = await Lab.start({ hosts: 2, wire: "direct" });
    folder = dirname(lab.hosts[0]!.socket);
    assert.ok(existsSync(folder));
  });
  while (existsSync(folder)) await collectGarbage();
});

test("a leaked engine is closed and reported", { skip }, async () => {
  const folder = mkdtempSync("/tmp/machnet-leak-");
  const options = {
    device: `memif:${folder}/wire.memif,server`,
    ip: "10.91.0.1/24",
    socket: `${folder}/engine.sock`,
  };
  await leak(`engine on ${options.device}`, () => Engine.start(options));
  while (existsSync(options.socket)) await collectGarbage();
  await using engine = await Engine.start(options);
  assert.equal(engine.socket, options.socket);
  rmSync(folder, { recursive: true });
});

test("what may be left open is closed, and not reported", {
  skip,
}, async () => {
  using warnings = catchWarnings();
  await (async () => {
    const channel = await hosts.sidecars[1]!.attach();
    const listener = await channel.listen({ port: 4711 });
    listener.unref();
  })();
  // The port is free as soon as it is closed.
  await using channel = await hosts.sidecars[1]!.attach();
  for (let done = false; !done;) {
    await collectGarbage();
    done = await channel.listen({ port: 4711 }).then(async (listener) => {
      await listener.close();
      return true;
    }, (error) => {
      assert.equal(error.code, "ADDRESS_IN_USE");
      return false;
    });
  }
  await collectGarbage();
  assert.deepEqual(warnings.lines, []);
});

test("what is closed, or over, is not reported", { skip }, async () => {
  using warnings = catchWarnings();
  await (async () => {
    const [client, server] = await connectPair(hosts);
    const channel = await hosts.sidecars[1]!.attach();
    const listener = await channel.listen({ port: 0 });
    await client.close();
    await server.closed;
    await listener.close();
    await channel.close();
  })();
  for (let round = 0; round < 5; round++) await collectGarbage();
  assert.deepEqual(warnings.lines, []);
});

test("what is in use is not taken for leaked", { skip }, async () => {
  using warnings = catchWarnings();
  const { hostname, port } = hosts.listener;
  const used = await (async () => {
    const lab = await Lab.start({ hosts: 2, wire: "direct" });
    // Each with nothing but a promise of it, or what was made of it.
    const channel = await lab.hosts[0]!.attach();
    const listener = await channel.listen({ port: 0 });
    const accepting = listener.accept();
    const served = hosts.listener.accept().then((one) =>
      one.serve((one) => one.copy())
    );
    const client = await hosts.client.connect({
      hostname,
      port,
      timeout: PATIENCE_MS,
    });
    const endpoint = {
      hostname: listener.hostname,
      port: listener.port,
      timeout: PATIENCE_MS,
    };
    return {
      served,
      accepting,
      endpoint,
      host: lab.hosts[1]!,
      closed: client.closed,
      reply: client.request(new Uint8Array(7)),
      stop: () => client.close(),
    };
  })();
  for (let round = 0; round < 5; round++) await collectGarbage();
  assert.deepEqual(warnings.lines, []);
  assert.equal((await used.reply).length, 7);
  {
    await using channel = await used.host.attach();
    await using connection = await channel.connect(used.endpoint);
    await using accepted = await used.accepting;
    await connection.send(new Uint8Array(1));
    (await accepted.receive()).release();
  }
  await used.stop();
  await used.closed;
  await used.served;
});

test("the hosts stop", { skip }, async () => {
  await hosts[Symbol.asyncDispose]();
});
