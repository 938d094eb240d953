/**
 * What a runtime's FFI must do for this project. Two files implement it, and
 * nothing outside this folder knows which of them is in use.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Calls, ClientCalls, SymbolTable } from "./symbols.ts";

/** One runtime's FFI. */
export interface Backend {
  /** An environment variable; `undefined` too where the script may not ask. */
  environment(name: string): string | undefined;

  /**
   * Check that the runtime lets us call C.
   *
   * @throws {MachnetError} FFI_NOT_ALLOWED
   */
  assertAllowed(): void;

  /**
   * Load a library.
   *
   * @throws {Error} If the file cannot be loaded or lacks a symbol.
   */
  open<Table extends SymbolTable>(path: string, table: Table): Calls<Table>;

  /**
   * The mapping of a channel as an ArrayBuffer. `machnet_mapping_release` is
   * called for it when nothing can reach the memory any more, or never.
   */
  map(calls: ClientCalls, base: bigint, bytes: number): ArrayBuffer;

  /** A stream socket of the operating system as one of the runtime. */
  socket(fd: number): Socket;
}
