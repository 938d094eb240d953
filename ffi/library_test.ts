import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Backend } from "./backend.ts";
import { bunBackend } from "./bun.ts";
import { denoBackend } from "./deno.ts";
import { MachnetError } from "./error.ts";
import { checkAbi, openFirst } from "./library.ts";
import { candidates } from "./locate.ts";
import { ABI_VERSION } from "./structs.ts";
import { CLIENT_SYMBOLS } from "./symbols.ts";

function failing(
  directory: string | undefined,
  error: (path: string) => Error,
): Pick<Backend, "environment" | "open"> {
  return {
    environment: () => directory,
    open: (path) => {
      throw error(path);
    },
  };
}

const missing = (path: string): Error =>
  new Error(`${path}: cannot open shared object file: No such file`);

test("openFirst() tries the variable, the build, the package, in order", () => {
  const runtime = failing("/opt/machnet/", missing);
  assert.throws(
    () => openFirst(runtime, "libmachnet.so", CLIENT_SYMBOLS),
    (error: MachnetError) => {
      assert.equal(error.code, "LIBRARY_NOT_FOUND");
      const [title, ...tried] = error.message.split("\n");
      assert.equal(title, "Cannot load libmachnet.so; tried:");
      assert.match(tried[0]!, /^ {2}\/opt\/machnet\/libmachnet\.so/);
      assert.match(tried[1]!, /native\/build\/client\/libmachnet\.so$/);
      assert.match(tried[2]!, /machnet-linux-x64/);
      assert.equal(tried.length, 3);
      return true;
    },
  );
});

test("openFirst() says why a file that exists does not load", () => {
  const runtime = failing(undefined, () => new Error("invalid ELF header"));
  assert.throws(
    () => openFirst(runtime, "libmachnet.so", CLIENT_SYMBOLS),
    /libmachnet\.so: invalid ELF header/,
  );
});

test("openFirst() says how to renew a library that lacks a function", async () => {
  const runtime = "Deno" in globalThis ? denoBackend() : await bunBackend();
  const table = {
    ...CLIENT_SYMBOLS,
    machnet_of_tomorrow: { parameters: [], result: "u32" },
  } as const;
  assert.throws(
    () => openFirst(runtime, "libmachnet.so", table),
    /libmachnet\.so.*: it has no machnet_of_tomorrow, .*: run `make build`/,
  );
});

test("openFirst() takes the first place that loads", () => {
  const opened: string[] = [];
  openFirst(
    {
      environment: () => "/a",
      open: (path) => {
        opened.push(path);
        return {} as never;
      },
    },
    "libmachnet.so",
    CLIENT_SYMBOLS,
  );
  assert.deepEqual(opened, ["/a/libmachnet.so"]);
});

test("candidates() knows where each file is built", () => {
  for (
    const [file, folder] of [
      ["libmachnet.so", "client"],
      ["machnetd", "sidecar"],
      ["machnet-fabric", "fabric"],
    ] as const
  ) {
    assert.match(
      candidates(file, undefined)[0]!.label,
      new RegExp(`/native/build/${folder}/${file}$`),
    );
  }
});

test("checkAbi() names both versions", () => {
  assert.throws(() => checkAbi({ machnet_abi_version: () => 99 }), {
    code: "ABI_MISMATCH",
    message: new RegExp(`ABI 99.*needs ABI ${ABI_VERSION}: run .make build`),
  });
});

const deno = process.env["MACHNET_DENO"] ??
  fileURLToPath(new URL("../node_modules/.bin/deno", import.meta.url));

/** What happens to library() under Deno with these flags and no others. */
function loadUnderDeno(...flags: string[]): string {
  const url = new URL("./library.ts", import.meta.url).href;
  const input = `import { library } from ${JSON.stringify(url)};
    await library().then(
      () => console.log("loaded"),
      (error) => console.log(error.code, error.message),
    );`;
  // A Deno that starts itself without any such flag adds --allow-all.
  const { stdout, stderr } = spawnSync(
    deno,
    ["run", "--no-check", "--no-prompt", "--deny-net", ...flags, "-"],
    { input, encoding: "utf8" },
  );
  return stdout + stderr;
}

test("library() under Deno names the flag that is missing", () => {
  assert.match(loadUnderDeno(), /^FFI_NOT_ALLOWED .*--allow-ffi/);
});

test("library() under Deno refuses a permission for one path", () => {
  assert.match(loadUnderDeno("--allow-ffi=/tmp"), /^FFI_NOT_ALLOWED/);
});

test("library() under Deno needs no other permission", () => {
  // Whether the library is built or not: no permission is asked for.
  assert.match(
    loadUnderDeno("--allow-ffi"),
    /^(loaded|LIBRARY_NOT_FOUND Cannot load libmachnet.so; tried:)/,
  );
});

test("library() under Deno heeds MACHNET_LIBRARY_PATH", () => {
  process.env["MACHNET_LIBRARY_PATH"] = "/nowhere";
  try {
    const text = loadUnderDeno("--allow-ffi", "--allow-env");
    assert.match(text, /^loaded|\/nowhere\/libmachnet.so/);
  } finally {
    delete process.env["MACHNET_LIBRARY_PATH"];
  }
});

test("MachnetError has a name, a code and a cause", () => {
  const cause = new Error("because");
  const error = new MachnetError("CLOSED", "Cannot do it", { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, "MachnetError");
  assert.equal(error.code, "CLOSED");
  assert.equal(error.cause, cause);
});
