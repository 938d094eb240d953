/**
 * Messages whose bytes tell which message they are, and a cheap check of them.
 */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";

/** The largest message. */
export const MESSAGE_BYTES_MAX: number = 8 * 2 ** 20;

/** A small generator of numbers below 2^32 (xorshift), the same per seed. */
export function random(seed: number): () => number {
  let state = (seed | 0) || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

// A message is a slice of this, from a place that its number says.
const PLACES = 4093;
const pool = new Uint8Array(MESSAGE_BYTES_MAX + PLACES);
{
  const next = random(20261123);
  const words = new Uint32Array(pool.buffer, 0, pool.length >> 2);
  for (let index = 0; index < words.length; index++) words[index] = next();
}

/** The bytes of a message. */
export function pattern(number: number, length: number): Uint8Array {
  const place = (number * 2654435761 >>> 0) % PLACES;
  return pool.subarray(place, place + length);
}

/** Whether these are the bytes of that message. */
export function matches(
  bytes: Uint8Array,
  number: number,
  length: number,
): boolean {
  return bytes.length === length &&
    Buffer.compare(bytes, pattern(number, length)) === 0;
}

/** Sizes from 0 to `most`, every order of magnitude equally often. */
export function logUniform(next: () => number, most: number): number {
  return Math.floor(Math.exp(next() / 2 ** 32 * Math.log(most + 1))) - 1;
}

/** Bytes of a message in a full packet: what native/wire/packet.h leaves. */
function fragmentBytes(mtu: number): number {
  const url = new URL("../../native/wire/packet.h", import.meta.url);
  const header = readFileSync(url, "utf8");
  const bytes = (name: string): number => {
    const [, value] = new RegExp(`#define ${name} (\\d+)u`).exec(header)!;
    return Number(value);
  };
  return mtu - 20 - 8 - bytes("WIRE_HEADER_BYTES") - bytes("WIRE_ACK_BYTES") -
    8 * bytes("WIRE_ACK_WORDS_MAX") - bytes("WIRE_FRAME_BYTES") -
    bytes("WIRE_TAG_BYTES");
}

/** Every size within 2 bytes of where something in the path changes. */
export function boundarySizes(mtu: number): number[] {
  const edges = [0, 1 << 20, MESSAGE_BYTES_MAX];
  // Size classes of blocks, whatever their ratio: powers of two and halves.
  for (let size = 64; size < MESSAGE_BYTES_MAX; size *= 2) {
    edges.push(size, size * 3 / 2);
  }
  const fragment = fragmentBytes(mtu);
  for (let count = 1; count <= 16; count++) edges.push(count * fragment);
  for (let count = 32; count <= 512; count *= 2) edges.push(count * fragment);
  // Whatever else may share a packet, or be left out of it.
  for (let bytes = 0; bytes <= 160; bytes += 4) edges.push(mtu - bytes);
  const sizes = new Set<number>();
  for (const edge of edges) {
    for (let size = edge - 2; size <= edge + 2; size++) {
      if (size >= 0 && size <= MESSAGE_BYTES_MAX) sizes.add(size);
    }
  }
  return [...sizes].sort((one, other) => one - other);
}
