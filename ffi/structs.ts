/**
 * The structs of the C ABI: where their fields lie, and how to read and write
 * them. A test compiles the headers and compares the offsets. This project
 * knows x86-64 and arm64 Linux only: little endian, 8-byte pointers.
 *
 * @module
 */
import { type ErrorCode, failure, MachnetError } from "./error.ts";
import { statusName } from "./status.ts";

/** The number that the headers had when this table was written. */
export const ABI_VERSION = 4;

/** Limits that the headers name. */
export const LIMITS = {
  MACHNET_MESSAGE_BYTES_MAX: 8_388_608,
  MACHNET_REASON_BYTES_MAX: 255,
  MACHNET_ARENA_BYTES_DEFAULT: 67_108_864,
  MACHNET_ARENA_BYTES_MIN: 33_554_432,
  MACHNET_ARENA_BYTES_MAX: 536_870_912,
  MACHNET_SOCKET_PATH_BYTES: 108,
  MACHNET_DEVICE_BYTES: 256,
  MACHNET_CORES_BYTES: 256,
} as const;

/** Sizes and field offsets in bytes. */
export const STRUCTS = {
  machnet_error: { size: 512, fields: { status: 0, message: 4 } },
  machnet_attach_options: {
    size: 16,
    fields: { arena_bytes: 0, engine: 4, timeout_ms: 8, reserved: 12 },
  },
  machnet_channel_info: {
    size: 32,
    fields: {
      base: 0,
      bytes: 8,
      doorbell_fd: 16,
      address: 20,
      engine: 24,
      arena_bytes: 28,
    },
  },
  machnet_event: {
    size: 32,
    fields: {
      kind: 0,
      port: 2,
      connection: 4,
      offset: 8,
      length: 12,
      token: 16,
      status: 20,
      address: 24,
      listener: 28,
    },
  },
  machnet_path: {
    size: 32,
    fields: {
      kind: 0,
      local_engine: 2,
      remote_engine: 3,
      connection: 4,
      out_from: 8,
      out_to: 10,
      length: 12,
      in_from: 16,
      in_to: 18,
      method: 20,
      rounds: 21,
      probes: 22,
      setup_us: 24,
      moves: 28,
    },
  },
  machnet_engine_options: {
    size: 704,
    fields: {
      device: 0,
      ip: 256,
      gateway: 288,
      socket: 320,
      mtu: 428,
      engines: 432,
      poll: 436,
      peer_timeout_ms: 440,
      cores: 444,
      drive: 700,
    },
  },
} as const;

/** `enum machnet_event_kind`. */
export const EventKind = {
  LISTENING: 1,
  CONNECTED: 2,
  ACCEPTED: 3,
  MESSAGE: 4,
  CLOSED: 5,
  UNLISTENED: 6,
  REQUEST: 7,
  REPLY: 8,
  FAILURE: 9,
  CANCEL: 10,
  PATH: 11,
  STARVED: 12,
} as const;

/** `enum machnet_message_kind`. */
export const MessageKind = {
  PLAIN: 0,
  REQUEST: 1,
  REPLY: 2,
  FAILURE: 3,
  CANCEL: 4,
} as const;

/** `enum machnet_path_method`, in its order. */
export const PathMethod = {
  single: 0,
  computed: 1,
  predicted: 2,
  remembered: 3,
  sprayed: 4,
  handover: 5,
} as const;

/** `enum machnet_poll_mode`. */
export const PollMode = { adaptive: 0, busy: 1 } as const;

/** `enum machnet_drive`. */
export const Drive = { thread: 0, inline: 1 } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A string as C wants it. */
export function cString(text: string): Uint8Array {
  return encoder.encode(`${text}\0`);
}

/** The string that C wrote at the start of some bytes. */
export function fromCString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A `struct machnet_error` for C to fill. */
export class ErrorBuffer {
  readonly bytes: Uint8Array = new Uint8Array(STRUCTS.machnet_error.size);

  /** What C said, or nothing. */
  get message(): string {
    return fromCString(
      this.bytes.subarray(STRUCTS.machnet_error.fields.message),
    );
  }

  /**
   * The error for a status. C's message says what was attempted; where it said
   * nothing the attempt is ours to name.
   */
  toError(status: number, attempt: string): MachnetError {
    const message = this.message;
    return message === ""
      ? failure(status, attempt)
      : new MachnetError(statusName(status) as ErrorCode, message);
  }
}

/** What `machnet_attach_begin` asks for; zeros stand for the defaults. */
export interface AttachFields {
  arenaBytes: number;
  engine: number;
  timeoutMs: number;
}

/** A `struct machnet_attach_options`. */
export function attachOptions(fields: AttachFields): Uint8Array {
  const { size, fields: at } = STRUCTS.machnet_attach_options;
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(at.arena_bytes, fields.arenaBytes, true);
  view.setInt32(at.engine, fields.engine, true);
  view.setUint32(at.timeout_ms, fields.timeoutMs, true);
  return new Uint8Array(view.buffer);
}

/** What `machnet_channel_info` tells. */
export interface ChannelInfo {
  base: bigint;
  bytes: number;
  address: number;
  engine: number;
  arenaBytes: number;
}

/** Read a `struct machnet_channel_info`. */
export function readChannelInfo(bytes: Uint8Array): ChannelInfo {
  const at = STRUCTS.machnet_channel_info.fields;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    base: view.getBigUint64(at.base, true),
    bytes: Number(view.getBigUint64(at.bytes, true)),
    address: view.getUint32(at.address, true),
    engine: view.getUint32(at.engine, true),
    arenaBytes: view.getUint32(at.arena_bytes, true),
  };
}

/** What `machnet_engine_start` asks for. */
export interface EngineFields {
  device: string;
  ip: string;
  gateway: string;
  socket: string;
  mtu: number;
  engines: number;
  poll: number;
  peerTimeoutMs: number;
  cores: string;
  drive: number;
}

/**
 * A `struct machnet_engine_options`.
 *
 * @throws {RangeError} If a string does not fit its field.
 */
export function engineOptions(fields: EngineFields): Uint8Array {
  const { size, fields: at } = STRUCTS.machnet_engine_options;
  const bytes = new Uint8Array(size);
  const ends = {
    device: at.ip,
    ip: at.gateway,
    gateway: at.socket,
    socket: at.mtu,
    cores: at.drive,
  } as const;
  for (const name of Object.keys(ends) as (keyof typeof ends)[]) {
    const end = ends[name];
    const text = cString(fields[name]);
    if (text.length > end - at[name]) {
      throw new RangeError(
        `Cannot start engine: ${name} is longer than ${
          end - at[name] - 1
        } bytes`,
      );
    }
    bytes.set(text, at[name]);
  }
  const view = new DataView(bytes.buffer);
  view.setUint32(at.mtu, fields.mtu, true);
  view.setUint32(at.engines, fields.engines, true);
  view.setUint32(at.poll, fields.poll, true);
  view.setUint32(at.peer_timeout_ms, fields.peerTimeoutMs, true);
  view.setUint32(at.drive, fields.drive, true);
  return bytes;
}
