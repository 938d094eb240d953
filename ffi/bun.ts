/**
 * The FFI of Bun.
 *
 * @module
 */
import { connect, type NetConnectOpts, type Socket } from "node:net";
import process from "node:process";
import type { Backend } from "./backend.ts";
import type { Calls, ClientCalls, SymbolTable } from "./symbols.ts";

// Only what is used here, so that this file needs no types of Bun under Deno.
interface BunFfi {
  dlopen(
    path: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: unknown };
  toArrayBuffer(
    pointer: number,
    offset: number,
    bytes: number,
    context: number,
    deallocator: number,
  ): ArrayBuffer;
}

// A literal `import "bun:ffi"` would keep Deno from loading this file.
const BUN_FFI = "bun:ffi";

/** Make the backend; call it under Bun only. */
export async function bunBackend(): Promise<Backend> {
  const ffi = await import(BUN_FFI) as BunFfi;

  return {
    environment(name: string): string | undefined {
      return process.env[name];
    },

    assertAllowed(): void {},

    open<Table extends SymbolTable>(path: string, table: Table): Calls<Table> {
      const symbols = Object.fromEntries(
        Object.entries(table).map(([name, { parameters, result }]) => [name, {
          args: parameters.map((type) =>
            type === "bytes" || type === "pointer" ? "ptr" : type
          ),
          returns: result === "pointer" ? "ptr" : result,
        }]),
      );
      return ffi.dlopen(path, symbols).symbols as Calls<Table>;
    },

    map(calls: ClientCalls, base: bigint, bytes: number): ArrayBuffer {
      const release = calls.machnet_mapping_release as unknown as {
        ptr: number;
      };
      // The context is not used, but Bun wants a pointer.
      const pointer = Number(base);
      return ffi.toArrayBuffer(pointer, 0, bytes, pointer, release.ptr);
    },

    socket(fd: number): Socket {
      // `new Socket({ fd })` receives nothing in Bun.
      return connect({ fd } as unknown as NetConnectOpts);
    },
  };
}
