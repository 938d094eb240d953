import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { NativeProcess } from "./native_process.ts";

test("NativeProcess.stop() resolves when the process has ended", async () => {
  const directory = mkdtempSync(`${tmpdir()}/machnet-process-`);
  const socket = `${directory}/host.sock`;
  try {
    const sidecar = await NativeProcess.start({
      file: "machnetd",
      parameters: [
        ...["--device", `memif:${directory}/wire.memif,server`],
        ...["--ip", "10.0.0.1/24", "--socket", socket],
      ],
      ready: "ready",
      signal: undefined,
    });
    assert.ok(existsSync(socket));
    await sidecar.stop();
    assert.throws(() => process.kill(sidecar.pid, 0), { code: "ESRCH" });
    assert.ok(!existsSync(socket), "the socket stayed behind");
    await sidecar.stop(); // does no harm
  } finally {
    rmSync(directory, { recursive: true, force: true }); // or machnetd did
  }
});
