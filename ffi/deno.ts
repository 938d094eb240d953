/**
 * The FFI of Deno.
 *
 * @module
 */
import { Socket } from "node:net";
import type { Backend } from "./backend.ts";
import { MachnetError } from "./error.ts";
import type { Calls, ClientCalls, SymbolTable } from "./symbols.ts";

// Only what is used here, so that this file needs Deno's types neither under
// Bun nor in an editor that knows only Node.
interface DenoGlobal {
  dlopen(
    path: string,
    symbols: Record<string, { parameters: string[]; result: string }>,
  ): { symbols: unknown };
  env: { get(name: string): string | undefined };
  permissions: {
    querySync(
      descriptor: { name: "ffi" } | { name: "env"; variable: string },
    ): { state: "granted" | "denied" | "prompt" };
  };
  UnsafePointer: { create(address: bigint): unknown };
  UnsafePointerView: {
    getArrayBuffer(pointer: unknown, bytes: number): ArrayBuffer;
  };
}

/** Make the backend; call it under Deno only. */
export function denoBackend(): Backend {
  const deno = (globalThis as unknown as { Deno: DenoGlobal }).Deno;

  return {
    environment(name: string): string | undefined {
      const { state } = deno.permissions.querySync({
        name: "env",
        variable: name,
      });
      return state === "granted" ? deno.env.get(name) : undefined;
    },

    assertAllowed(): void {
      // With --allow-ffi=PATH Deno refuses the views that messages are read
      // through, so that half a permission is none.
      if (deno.permissions.querySync({ name: "ffi" }).state === "granted") {
        return;
      }
      throw new MachnetError(
        "FFI_NOT_ALLOWED",
        "Cannot load libmachnet: run Deno with --allow-ffi (the plain flag: " +
          "--allow-ffi=PATH does not allow reading messages in place)",
      );
    },

    open<Table extends SymbolTable>(path: string, table: Table): Calls<Table> {
      const symbols = Object.fromEntries(
        Object.entries(table).map(([name, { parameters, result }]) => [name, {
          parameters: parameters.map((type) =>
            type === "bytes" ? "buffer" : type
          ),
          result,
        }]),
      );
      return deno.dlopen(path, symbols).symbols as Calls<Table>;
    },

    // Never released: `transfer()` and `postMessage()` move the memory to
    // another ArrayBuffer, perhaps of another thread, and V8 tells nobody here
    // when that one is gone. What stays is a range of addresses; the pages in
    // it go when the channel ends, but for those that a view writes to later.
    map(_calls: ClientCalls, base: bigint, bytes: number): ArrayBuffer {
      const pointer = deno.UnsafePointer.create(base);
      return deno.UnsafePointerView.getArrayBuffer(pointer, bytes);
    },

    socket(fd: number): Socket {
      // `fd` is missing in some versions of the type, present in all of Node.
      return new Socket({ fd });
    },
  };
}
