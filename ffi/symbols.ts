/**
 * The C symbols that scripts call. A test holds both tables against the
 * headers in native/include/machnet, the names of the parameters included.
 *
 * `bytes` is memory that the callee reads or writes during the call: a
 * `Uint8Array`, or `null` where C allows NULL. `pointer` is an address that
 * only the backend can make.
 *
 * @module
 */

/** Symbols of libmachnet.so. */
export const CLIENT_SYMBOLS = {
  machnet_abi_version: { parameters: [], result: "u32" },
  machnet_status_name: {
    parameters: [
      "i32", // status
    ],
    result: "pointer",
  },
  machnet_status_message: {
    parameters: [
      "i32", // status
    ],
    result: "pointer",
  },
  machnet_socket_path_default: {
    parameters: [
      "bytes", // path
      "u32", // capacity
    ],
    result: "i32",
  },
  machnet_debug_enabled: { parameters: [], result: "i32" },
  machnet_attach: {
    parameters: [
      "bytes", // path
      "bytes", // options
      "bytes", // channel
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_attach_begin: {
    parameters: [
      "bytes", // path
      "bytes", // options
      "bytes", // fd
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_attach_end: {
    parameters: [
      "i32", // job
      "bytes", // channel
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_resolve_begin: {
    parameters: [
      "bytes", // name
      "bytes", // fd
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_resolve_end: {
    parameters: [
      "i32", // job
      "bytes", // address
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_job_abandon: {
    parameters: [
      "i32", // job
    ],
    result: "i32",
  },
  machnet_stats: {
    parameters: [
      "bytes", // path
      "bytes", // text
      "u32", // capacity
      "u32", // timeout_ms
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_ask: {
    parameters: [
      "bytes", // path
      "bytes", // line
      "bytes", // text
      "u32", // capacity
      "u32", // timeout_ms
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_channel_info: {
    parameters: [
      "u32", // channel
      "bytes", // info
    ],
    result: "i32",
  },
  machnet_channel_doorbell: {
    parameters: [
      "u32", // channel
    ],
    result: "i32",
  },
  machnet_channel_close: {
    parameters: [
      "u32", // channel
    ],
    result: "i32",
  },
  machnet_channel_lost: {
    parameters: [
      "u32", // channel
    ],
    result: "i32",
  },
  machnet_channel_drive: {
    parameters: [
      "u32", // channel
      "pointer", // driver
    ],
    result: "i32",
  },
  machnet_mapping_release: {
    parameters: [
      "pointer", // base
      "pointer", // context
    ],
    result: "void",
  },
  machnet_poll: {
    parameters: [
      "u32", // channel
      "bytes", // events
      "u32", // capacity
      "u32", // spin_us
    ],
    result: "i32",
  },
  machnet_wait: {
    parameters: [
      "u32", // channel
      "u32", // room
    ],
    result: "i32",
  },
  machnet_connect: {
    parameters: [
      "u32", // channel
      "u32", // token
      "u32", // address
      "u32", // port
      "u32", // timeout_ms
      "u32", // flags
    ],
    result: "i32",
  },
  machnet_listen: {
    parameters: [
      "u32", // channel
      "u32", // token
      "u32", // address
      "u32", // port
      "u32", // backlog
      "u32", // flags
    ],
    result: "i32",
  },
  machnet_unlisten: {
    parameters: [
      "u32", // channel
      "u32", // listener
    ],
    result: "i32",
  },
  machnet_accept: {
    parameters: [
      "u32", // channel
      "u32", // connection
    ],
    result: "i32",
  },
  machnet_send: {
    parameters: [
      "u32", // channel
      "u32", // connection
      "bytes", // bytes
      "u32", // length
    ],
    result: "i32",
  },
  machnet_allocate: {
    parameters: [
      "u32", // channel
      "u32", // connection
      "u32", // length
    ],
    result: "i32",
  },
  machnet_send_allocated: {
    parameters: [
      "u32", // channel
      "u32", // connection
      "u32", // offset
      "u32", // length
    ],
    result: "i32",
  },
  machnet_send_tagged: {
    parameters: [
      "u32", // channel
      "u32", // connection
      "bytes", // bytes
      "u32", // length
      "u32", // kind
      "u32", // request
    ],
    result: "i32",
  },
  machnet_send_allocated_tagged: {
    parameters: [
      "u32", // channel
      "u32", // connection
      "u32", // offset
      "u32", // length
      "u32", // kind
      "u32", // request
    ],
    result: "i32",
  },
  machnet_release: {
    parameters: [
      "u32", // channel
      "u32", // offset
    ],
    result: "i32",
  },
  machnet_release_many: {
    parameters: [
      "u32", // channel
      "bytes", // offsets
      "u32", // count
    ],
    result: "i32",
  },
  machnet_close: {
    parameters: [
      "u32", // channel
      "u32", // connection
      "u32", // timeout_ms
    ],
    result: "i32",
  },
  machnet_reset: {
    parameters: [
      "u32", // channel
      "u32", // connection
      "bytes", // reason
      "u32", // length
    ],
    result: "i32",
  },
} as const;

/** Symbols of libmachnet_engine.so that scripts call. */
export const ENGINE_SYMBOLS = {
  machnet_engine_start: {
    parameters: [
      "bytes", // options
      "bytes", // fd
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_engine_result: {
    parameters: [
      "bytes", // error
    ],
    result: "i32",
  },
  machnet_engine_stop: { parameters: [], result: "i32" },
  machnet_engine_driver: { parameters: [], result: "pointer" },
  machnet_engine_socket: {
    parameters: [
      "bytes", // path
      "u32", // capacity
    ],
    result: "i32",
  },
} as const;

/** What the C ABI takes and gives. */
export type ParameterType = "i32" | "u32" | "bytes" | "pointer";

/** Any table of symbols. */
export interface SymbolTable {
  readonly [name: string]: {
    readonly parameters: readonly ParameterType[];
    readonly result: "i32" | "u32" | "void" | "pointer";
  };
}

interface Values {
  i32: number;
  u32: number;
  bytes: Uint8Array | null;
  pointer: unknown;
  void: void;
}

type Arguments<Parameters extends readonly ParameterType[]> = {
  [Index in keyof Parameters]: Values[Parameters[Index]];
};

/** The functions that a table describes. */
export type Calls<Table extends SymbolTable> = {
  readonly [Name in keyof Table]: (
    ...values: Arguments<Table[Name]["parameters"]>
  ) => Values[Table[Name]["result"]];
};

/** The functions of libmachnet.so. */
export type ClientCalls = Calls<typeof CLIENT_SYMBOLS>;

/** The functions of libmachnet_engine.so. */
export type EngineCalls = Calls<typeof ENGINE_SYMBOLS>;
