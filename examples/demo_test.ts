import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runScript } from "../bench/processes.ts";

// The demo's own temporary folder, so that what it leaves there is seen.
const folder = mkdtempSync(join(tmpdir(), "machnet-demo-test-"));
after(() => rmSync(folder, { recursive: true }));

function demo(...parameters: string[]): Promise<string[]> {
  const environment = { TMPDIR: folder };
  return runScript({ file: "examples/demo.ts", parameters, environment });
}

test("examples/demo.ts: shows a hello, a file and a table", async () => {
  const file = join(folder, "zeros");
  writeFileSync(file, new Uint8Array(3_000_000));
  const lines = await demo("--file", file, "--seconds", "0.05");
  const text = lines.join("\n");
  assert.match(text, /^Bun {2}\| got "hello from Deno /m);
  assert.match(text, /^Deno \| Bun [\d.]+ heard "hello from Deno /m);
  assert.match(text, /^The two files on the disk have the same SHA-256/m);
  for (const name of ["Deno", "Bun"]) {
    for (const size of ["64 B", "1 kB", "32 kB"]) {
      const numbers = "( +[\\d.]+){3} +\\d+";
      assert.match(text, new RegExp(`^${name} +${size}${numbers}$`, "m"));
    }
  }
  assert.match(lines.at(-1)!, /^The demo took [\d.]+ s\.$/);
  assert.deepEqual(readdirSync(folder), ["zeros"], "files stayed behind");
});

test("examples/demo.ts: fails with a reason", async () => {
  await assert.rejects(
    demo("--file", "/nowhere/to/be/found"),
    /code 1[^]*The demo failed: .*\/nowhere\/to\/be\/found/,
  );
});
