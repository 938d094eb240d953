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
  const mappings = new FinalizationRegistry<
    { calls: ClientCalls; pointer: unknown }
  >(({ calls, pointer }) => calls.machnet_mapping_release(pointer, null));

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

    map(calls: ClientCalls, base: bigint, bytes: number): ArrayBuffer {
      const pointer = deno.UnsafePointer.create(base);
      const buffer = deno.UnsafePointerView.getArrayBuffer(pointer, bytes);
      mappings.register(buffer, { calls, pointer });
      return buffer;
    },

    socket(fd: number): Socket {
      // `fd` is missing in some versions of the type, present in all of Node.
      return new Socket({ fd });
    },
  };
}
