/**
 * Writes the package.json of the packages that are published, from that of this
 * repository, which is private: packages/build.sh has put everything else into
 * their folders.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname ?? ".", "..");
const { version, description, license, dependencies, engines } = JSON.parse(
  readFileSync(resolve(root, "package.json"), "utf8"),
);
const platform = "machnet-linux-x64";

function write(name: string, manifest: Record<string, unknown>): void {
  const text = JSON.stringify(
    { name, version, ...manifest },
    undefined,
    2,
  );
  writeFileSync(resolve(root, "dist/npm", name, "package.json"), `${text}\n`);
}

write("machnet", {
  description,
  license,
  type: "module",
  // One bundle for both runtimes: what differs is behind dynamic imports.
  exports: { types: "./types/mod.d.ts", default: "./machnet.js" },
  dependencies,
  optionalDependencies: { [platform]: version },
  engines,
});

write(platform, {
  description: "The native files of the package machnet, for Linux on x86-64",
  license: "SEE LICENSE IN licenses", // ours, and those of the libraries
  os: ["linux"],
  cpu: ["x64"],
  libc: ["glibc"],
  exports: { "./*": "./*" },
  bin: { machnetd: "machnetd", "machnet-fabric": "machnet-fabric" },
});
