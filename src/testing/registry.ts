/**
 * A registry of npm packages on the loopback interface, with those that are in
 * given folders: what `npm pack` makes of a folder is what people would get.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** A registry that runs. Disposing it ends it. */
export interface Registry extends AsyncDisposable {
  /** Ends in a slash. */
  readonly url: string;
}

interface Package {
  readonly manifest: { readonly name: string; readonly version: string };
  readonly file: string;
  readonly tarball: Buffer;
  readonly shasum: string;
  readonly integrity: string;
}

function pack(folder: string): Package {
  const directory = mkdtempSync(join(tmpdir(), "machnet-registry-"));
  try {
    const output = execFileSync(
      "npm",
      ["pack", "--json", "--ignore-scripts", "--pack-destination", directory],
      // Deno keeps a copy of the environment, and children want the original.
      { cwd: folder, encoding: "utf8", env: process.env },
    );
    const packed: unknown = JSON.parse(output);
    const [{ filename, shasum, integrity }] = Object.values(
      packed as Record<string, Record<string, string>>,
    ) as [{ filename: string; shasum: string; integrity: string }];
    return {
      manifest: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
      file: filename,
      tarball: readFileSync(join(directory, filename)),
      shasum,
      integrity,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

// https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
function packument(
  { manifest, file, shasum, integrity }: Package,
  url: string,
): string {
  const { name, version } = manifest;
  const dist = { tarball: `${url}${name}/-/${file}`, shasum, integrity };
  return JSON.stringify({
    name,
    "dist-tags": { latest: version },
    versions: { [version]: { ...manifest, dist } },
  });
}

/** Start a registry. */
export async function startRegistry(
  folders: readonly string[],
): Promise<Registry> {
  const packages = folders.map(pack);
  const server = createServer(({ url: path }, response) => {
    for (const one of packages) {
      const { name } = one.manifest;
      if (path === `/${name}`) {
        response.setHeader("content-type", "application/json");
        response.end(packument(one, url));
        return;
      }
      if (path === `/${name}/-/${one.file}`) {
        response.end(one.tarball);
        return;
      }
    }
    response.statusCode = 404;
    response.end(`{"error":"not found"}`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  return {
    url,
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
