import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import { Engine } from "../../mod.ts";
import { PATIENCE_MS, skip, until } from "../testing/hosts.ts";
import { matches, pattern } from "../testing/pattern.ts";
import { startScript } from "../testing/script.ts";

/** A directory for a test's files. */
function scratch(): { path: string } & Disposable {
  const path = mkdtempSync("/tmp/machnet-engine-");
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

test("Engine.start() ten times in one process", { skip }, async () => {
  using directory = scratch();
  const socket = `${directory.path}/engine.sock`;
  for (let round = 0; round < 10; round++) {
    await using engine = await Engine.start({
      device: `memif:${directory.path}/wire.memif,server`,
      ip: `10.91.0.${round + 1}/24`,
      socket,
    });
    assert.equal(engine.socket, socket);
    await using channel = await engine.attach();
    assert.equal(channel.address, `10.91.0.${round + 1}`);
    await using listener = await channel.listen({ port: 888 });
    assert.equal(listener.port, 888);
    assert.ok(Object.keys(await engine.stats()).length > 0);
  }
  assert.ok(!existsSync(socket));
});

/** Which cores the threads of this process with a name may run on. */
function coresOf(name: string): string[] {
  const threads = "/proc/self/task";
  return readdirSync(threads)
    .filter((id) =>
      readFileSync(`${threads}/${id}/comm`, "utf8").trim() === name
    )
    .map((id) => {
      const status = readFileSync(`${threads}/${id}/status`, "utf8");
      return /^Cpus_allowed_list:\s*(.*)$/m.exec(status)![1]!;
    });
}

test("Engine.start() runs several engines, each on its core", {
  skip,
}, async () => {
  using directory = scratch();
  const options = {
    device: `memif:${directory.path}/wire.memif,server`,
    ip: "10.91.0.1/24",
    socket: `${directory.path}/engine.sock`,
    engines: 3,
  };
  await assert.rejects(Engine.start({ ...options, cores: [0, 0] }), /cores/);
  await using engine = await Engine.start({ ...options, cores: [0, 0, 0] });
  for (let index = 0; index < 3; index++) {
    assert.deepEqual(coresOf(`machnet/${index}`), ["0"]);
    await using channel = await engine.attach({ engine: index });
    assert.equal(channel.engine, index);
  }
  assert.equal((await engine.stats())["engines"], 3);
});

test("a second Engine.start() at the same time is refused", {
  skip,
}, async () => {
  using directory = scratch();
  const options = {
    device: `memif:${directory.path}/wire.memif,server`,
    ip: "10.91.0.1/24",
    socket: `${directory.path}/engine.sock`,
  };
  await using _ = await Engine.start(options);
  await assert.rejects(Engine.start(options), {
    code: "ENGINE_ALREADY_RUNNING",
  });
});

test("Engine.start() that is aborted leaves nothing", { skip }, async () => {
  using directory = scratch();
  const options = {
    device: `memif:${directory.path}/wire.memif,server`,
    ip: "10.91.0.1/24",
    socket: `${directory.path}/engine.sock`,
  };
  for (const abort of [queueMicrotask, setImmediate, setTimeout]) {
    const controller = new AbortController();
    const { signal } = controller;
    const refused = assert.rejects(Engine.start({ ...options, signal }), {
      name: "AbortError",
    });
    abort(() => controller.abort());
    await refused;
    assert.deepEqual(readdirSync(directory.path), []);
  }
  await using _ = await Engine.start(options);
});

test("Engine.start() names a device that does not exist", {
  skip,
}, async () => {
  using directory = scratch();
  await assert.rejects(
    Engine.start({
      device: "af_packet:no-such-if",
      ip: "10.91.0.1/24",
      socket: `${directory.path}/engine.sock`,
    }),
    { name: "MachnetError", code: "DEVICE_NOT_FOUND", message: /no-such-if/ },
  );
});

test("engine.close() tells the applications", { skip }, async () => {
  using directory = scratch();
  const engine = await Engine.start({
    device: `memif:${directory.path}/wire.memif,server`,
    ip: "10.91.0.1/24",
    socket: `${directory.path}/engine.sock`,
  });
  const channel = await engine.attach();
  const listener = await channel.listen({ port: 1 });
  const pending = listener.accept();
  pending.catch(() => {});
  await engine.close();
  await engine.closed;
  await assert.rejects(pending, { code: "SIDECAR_STOPPED" });
  await engine.close();
});

test("two processes with an engine each exchange messages", {
  skip,
}, async () => {
  using directory = scratch();
  await using engine = await Engine.start({
    device: `memif:${directory.path}/wire.memif,server`,
    ip: "10.91.0.1/24",
    socket: `${directory.path}/engine.sock`,
  });
  await using channel = await engine.attach();
  await using listener = await channel.listen({ port: 888 });
  const script = startScript("engine_client.ts", [directory.path]);
  const connection = await Promise.race([
    listener.accept(),
    script.ended.then(() => assert.fail(script.stderr())),
  ]);
  using message = await connection.receive();
  await connection.send(message.data);
  assert.equal(await script.line(), "hello");
  assert.equal(await script.ended, 0);
});

test("scripts run their inline engines, and helpers while they are busy", {
  skip,
}, async () => {
  using directory = scratch();
  const options = {
    device: `memif:${directory.path}/wire.memif,server`,
    ip: "10.91.0.1/24",
    socket: `${directory.path}/engine.sock`,
    drive: "inline",
  } as const;
  await assert.rejects(Engine.start({ ...options, engines: 2 }), /drive/);
  await using engine = await Engine.start(options);
  await using channel = await engine.attach();
  const script = startScript("busy_engine.ts", [directory.path]);
  assert.equal(await script.line(), "listening");
  const peer = { hostname: "10.91.0.2", port: 888, timeout: PATIENCE_MS };
  await using connection = await channel.connect(peer);
  for (let number = 0; number < 2000; number++) {
    const length = number % 100 === 0 ? 100_000 : number;
    await connection.send(pattern(number, length));
    using message = await connection.receive();
    assert.ok(matches(message.data, number, length));
  }
  await connection.send(new TextEncoder().encode("be busy"));
  using _ = await connection.receive();
  // The script does not run, its engine does.
  await using other = await channel.connect(peer);
  await other.send(pattern(1, 1_000_000));
  await until(async () => (await engine.stats())["bytes_sent"]! >= 1_000_000);
  writeFileSync(`${directory.path}/enough`, "");
  await connection.close();
  using echo = await other.receive();
  assert.ok(matches(echo.data, 1, 1_000_000));
  await other.close();
  script.process.kill();
  await script.ended;
});

test("other processes attach to an inline engine", { skip }, async () => {
  using directory = scratch();
  const wire = `memif:${directory.path}/wire.memif`;
  await using engine = await Engine.start({
    device: `${wire},server`,
    ip: "10.91.0.1/24",
    socket: `${directory.path}/engine.sock`,
    drive: "inline",
  });
  const script = startScript("hold.ts", [engine.socket]);
  assert.equal(await script.line(), "listening");
  const client = startScript("busy_engine.ts", [directory.path]);
  assert.equal(await client.line(), "listening");
  await using channel = await engine.attach();
  assert.equal((await engine.stats())["channels"], 2);
  client.process.kill();
  script.process.kill();
  await Promise.all([client.ended, script.ended]);
  assert.equal(channel.address, "10.91.0.1");
});
