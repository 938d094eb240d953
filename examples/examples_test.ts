import { Lab, type LabHost } from "machnet";
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  runScript,
  RUNTIME,
  type Runtime,
  RUNTIME_NAMES,
  RUNTIMES,
  Script,
} from "../bench/processes.ts";

/** The clients run under what runs this file, the servers under either. */

let lab: Lab;
let here: LabHost;
let there: LabHost;
let folder: string;

before(async () => {
  lab = await Lab.start({ hosts: 2, wire: "direct" });
  [here, there] = lab.hosts as [LabHost, LabHost];
  folder = mkdtempSync(join(tmpdir(), "machnet-examples-"));
});

after(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});

/** Start a server on the other host, and wait for its first words. */
async function serve(
  runtime: Runtime,
  file: string,
  ...parameters: string[]
): Promise<{ server: Script; port: string }> {
  const server = Script.start({
    runtime,
    file,
    parameters: ["--socket", there.socket, "--port", "0", ...parameters],
  });
  const [, port = ""] = await server.line(/^\w.* on [\d.]+:(\d+)$/);
  return { server, port };
}

/** Run a client on this host. */
function run(
  file: string,
  port: string,
  ...parameters: string[]
): Promise<string[]> {
  return runScript({
    file,
    parameters: ["--socket", here.socket, "--port", port, ...parameters],
  });
}

for (const other of RUNTIMES) {
  const under = `under ${RUNTIME_NAMES[other]}`;

  test(`examples/hello.ts: is answered by the greeter ${under}`, async () => {
    const { server, port } = await serve(other, "examples/greeter.ts");
    await using _ = server;
    for (let visit = 0; visit < 3; visit++) {
      const [answer] = await run("examples/hello.ts", port, there.address);
      assert.match(
        answer!,
        new RegExp(`^${RUNTIME_NAMES[other]} [\\d.]+ heard "hello from `),
      );
    }
    await server.stop();
    assert.equal(server.lines.length, 4);
  });

  test(`examples/echo_server.ts: echoes ${under}`, async () => {
    const { server, port } = await serve(other, "examples/echo_server.ts");
    await using _ = server;
    const lines = await run("examples/hello.ts", port, there.address);
    assert.match(lines.join("\n"), /^hello from \w+ [\d.]+$/);
    await server.stop();
  });

  test(`examples/cluster.ts: spreads connections over workers ${under}`, async () => {
    const { server, port } = await serve(
      other,
      "examples/cluster.ts",
      ...["--workers", "3"],
    );
    await using _ = server;
    assert.match(server.lines[0]!, /^3 workers on /);
    const heard = new Set<string>();
    for (let visit = 0; visit < 6; visit++) {
      const [answer] = await run("examples/hello.ts", port, there.address);
      heard.add(answer!.split(" heard")[0]!);
    }
    assert.deepEqual([...heard].sort(), ["worker 1", "worker 2", "worker 3"]);
    await server.stop();
  });

  for (const bytes of [0, 1, 5_000_001]) {
    test(`examples/send_file.ts: sends ${bytes} bytes, receiver ${under}`, async () => {
      const contents = randomBytes(bytes);
      const source = join(folder, `${other}-${bytes}`);
      writeFileSync(source, contents);
      const target = mkdtempSync(join(folder, "received-"));
      const { server, port } = await serve(
        other,
        "examples/receive_file.ts",
        ...["--folder", target],
      );
      await using _ = server;
      const lines = await run(
        "examples/send_file.ts",
        port,
        source,
        there.address,
      );
      await server.finish();
      assert.deepEqual(
        readFileSync(join(target, `${other}-${bytes}`)),
        contents,
      );
      const hash = createHash("sha256").update(contents).digest("hex");
      assert.ok(lines.includes(`SHA-256 here  ${hash}`));
      assert.ok(lines.includes(`SHA-256 there ${hash}`));
      const progress = lines.filter((line) => line.includes("%"));
      assert.ok(bytes < 10 ? progress.length <= 1 : progress.length > 4);
    });
  }
}

test("examples/receive_file.ts: overwrites no file", async () => {
  const source = join(folder, "precious");
  writeFileSync(source, "old");
  const { server, port } = await serve(
    RUNTIME,
    "examples/receive_file.ts",
    ...["--folder", folder],
  );
  await using _ = server;
  await assert.rejects(
    run("examples/send_file.ts", port, source, there.address),
    /send_file\.ts .* ended with code 1/,
  );
  await assert.rejects(server.finish(), /EEXIST|file (already )?exists/i);
  assert.equal(readFileSync(source, "utf8"), "old");
});

test("examples/hello.ts: names the host and port that refuse it", async () => {
  await assert.rejects(
    run("examples/hello.ts", "9", there.address),
    /Cannot connect to 10\.90\.0\.2:9: /,
  );
});

test("examples/hello.ts: says how to use it", async () => {
  await assert.rejects(run("examples/hello.ts", "9"), /Usage: hello.ts HOST/);
});

test("examples/lab.ts: loses no message on a lossy network", async () => {
  const lines = await runScript({ file: "examples/lab.ts" });
  const complete = lines.filter((line) =>
    /^1000 messages from 10\.90\.0\.[23], each once and in order$/.test(line)
  );
  assert.equal(complete.length, 2);
  assert.ok(lines.some((line) => / [1-9]\d* lost/.test(line)));
});
