/**
 * Where our native files may lie.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** A file of ours that is not JavaScript. */
export type NativeFile =
  | "libmachnet.so"
  | "libmachnet_engine.so"
  | "machnetd"
  | "machnet-fabric";

// Folder of the meson build that makes it.
const BUILD_FOLDERS: { readonly [File in NativeFile]: string } = {
  "libmachnet.so": "client",
  "libmachnet_engine.so": "sidecar",
  "machnetd": "sidecar",
  "machnet-fabric": "fabric",
};

/** The package that carries the files for this platform. */
const PLATFORM_PACKAGE = "machnet-linux-x64";

// In this repository, and not in a bundle or on a server of modules.
const IN_SOURCES = /^file:.*\/ffi\/locate\.ts$/;

/** A place to look, and what to call it when nothing is there. */
export interface Candidate {
  /** Absent if the place does not exist. */
  readonly path?: string;
  readonly label: string;
}

/**
 * The places of a file, best first: the directory in MACHNET_LIBRARY_PATH, a
 * build in this repository, the platform package.
 *
 * @param directory The value of MACHNET_LIBRARY_PATH, if there is one.
 */
export function candidates(
  file: NativeFile,
  directory: string | undefined,
): Candidate[] {
  const found: Candidate[] = [];
  if (directory) {
    const path = `${directory.replace(/\/+$/, "")}/${file}`;
    found.push({ path, label: `${path} (MACHNET_LIBRARY_PATH)` });
  }
  if (IN_SOURCES.test(import.meta.url)) {
    const build = `../native/build/${BUILD_FOLDERS[file]}/${file}`;
    const path = fileURLToPath(new URL(build, import.meta.url));
    found.push({ path, label: path });
  }
  const specifier = `${PLATFORM_PACKAGE}/${file}`;
  try {
    const path = fileURLToPath(import.meta.resolve(specifier));
    found.push({ path, label: path });
  } catch {
    found.push({ label: `package ${PLATFORM_PACKAGE} (not installed)` });
  }
  return found;
}
