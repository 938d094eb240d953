/**
 * Finding, loading and checking the native libraries.
 *
 * @module
 */
import type { Backend } from "./backend.ts";
import { bunBackend } from "./bun.ts";
import { denoBackend } from "./deno.ts";
import { MachnetError } from "./error.ts";
import { candidates, type NativeFile } from "./locate.ts";
import { ABI_VERSION } from "./structs.ts";
import {
  type Calls,
  CLIENT_SYMBOLS,
  type ClientCalls,
  ENGINE_SYMBOLS,
  type EngineCalls,
  type SymbolTable,
} from "./symbols.ts";
import { watch, type Watcher } from "./watch.ts";

/** What to do about native files that are not of this version. */
const RENEW = "run `make build`, or install the package anew";

/** What the runtimes say of a function that a library does not have. */
const NO_SYMBOL =
  /undefined symbol: (machnet_\w+)|Symbol "(machnet_\w+)" not found/;

/** The FFI of this runtime and libmachnet behind it. */
export interface Library {
  readonly calls: ClientCalls;
  /** Whether MACHNET_DEBUG asks for checks that cost more than they may. */
  readonly debugging: boolean;
  /** See {@linkcode Backend.map}. */
  map(base: bigint, bytes: number): ArrayBuffer;
  /** Watch a descriptor; see {@linkcode watch}. */
  watch(fd: number, onRing: () => void, onEnd: () => void): Watcher;
}

let chosen: Backend | undefined;
let client: Library | undefined;
let engine: EngineCalls | undefined;

async function backend(): Promise<Backend> {
  if (chosen) return chosen;
  const names = globalThis as { Deno?: unknown; Bun?: unknown };
  if (names.Deno) chosen = denoBackend();
  else if (names.Bun) chosen = await bunBackend();
  else {
    throw new MachnetError(
      "FFI_NOT_ALLOWED",
      "Cannot load libmachnet: it runs under Deno and Bun, and this is neither",
    );
  }
  return chosen;
}

/** An environment variable; `undefined` too where the script may not ask. */
export async function environment(name: string): Promise<string | undefined> {
  return (await backend()).environment(name);
}

/** Why a file does not load, and what mends it, if that is known. */
function reason(text: string): string {
  const [, ofDeno, ofBun] = NO_SYMBOL.exec(text) ?? [];
  const symbol = ofDeno ?? ofBun;
  return symbol === undefined
    ? text
    : `it has no ${symbol}, so it is of another version: ${RENEW}`;
}

/**
 * Load a library from the first place that has it.
 *
 * @throws {MachnetError} LIBRARY_NOT_FOUND, with the places.
 */
export function openFirst<Table extends SymbolTable>(
  runtime: Pick<Backend, "environment" | "open">,
  file: NativeFile,
  table: Table,
): Calls<Table> {
  const places = candidates(file, runtime.environment("MACHNET_LIBRARY_PATH"));
  const tried: string[] = [];
  const errors: unknown[] = [];
  for (const { path, label } of places) {
    if (path === undefined) {
      tried.push(label);
      continue;
    }
    try {
      return runtime.open(path, table);
    } catch (error) {
      errors.push(error);
      const text = error instanceof Error ? error.message : String(error);
      const missing = text.includes(`${path}: cannot open shared object file`);
      // A file that is there and does not load must say why.
      tried.push(missing ? label : `${label}: ${reason(text)}`);
    }
  }
  throw new MachnetError(
    "LIBRARY_NOT_FOUND",
    `Cannot load ${file}; tried:\n${
      tried.map((line) => `  ${line}`).join("\n")
    }`,
    { cause: errors.length === 1 ? errors[0] : errors },
  );
}

/**
 * Check that a library has the ABI that this version was written for.
 *
 * @throws {MachnetError} ABI_MISMATCH, with both versions.
 */
export function checkAbi(
  calls: Pick<ClientCalls, "machnet_abi_version">,
): void {
  const version = calls.machnet_abi_version();
  if (version === ABI_VERSION) return;
  throw new MachnetError(
    "ABI_MISMATCH",
    `Cannot use libmachnet.so: it has ABI ${version}, ` +
      `and this version of machnet needs ABI ${ABI_VERSION}: ${RENEW}`,
  );
}

/**
 * Load libmachnet.so, once.
 *
 * @throws {MachnetError} FFI_NOT_ALLOWED, LIBRARY_NOT_FOUND or ABI_MISMATCH
 */
export async function library(): Promise<Library> {
  if (client) return client;
  const runtime = await backend();
  runtime.assertAllowed();
  const calls = openFirst(runtime, "libmachnet.so", CLIENT_SYMBOLS);
  checkAbi(calls);
  client ??= {
    calls,
    debugging: calls.machnet_debug_enabled() !== 0,
    map: (base, bytes) => runtime.map(calls, base, bytes),
    watch: (fd, onRing, onEnd) => watch(runtime.socket(fd), onRing, onEnd),
  };
  return client;
}

/**
 * Load libmachnet_engine.so, once.
 *
 * @throws {MachnetError} FFI_NOT_ALLOWED or LIBRARY_NOT_FOUND
 */
export async function engineLibrary(): Promise<EngineCalls> {
  if (engine) return engine;
  const runtime = await backend();
  runtime.assertAllowed();
  engine = openFirst(runtime, "libmachnet_engine.so", ENGINE_SYMBOLS);
  return engine;
}
