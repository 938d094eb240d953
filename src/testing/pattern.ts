/**
 * Messages whose bytes tell which message they are, and a cheap check of them.
 */
import { Buffer } from "node:buffer";

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

/** Every size within 2 bytes of where something in the path changes. */
export function boundarySizes(): number[] {
  const edges = [0, 1 << 20, MESSAGE_BYTES_MAX];
  // Size classes of blocks, whatever their ratio: powers of two and halves.
  for (let size = 64; size < MESSAGE_BYTES_MAX; size *= 2) {
    edges.push(size, size * 3 / 2);
  }
  // Fragments: an MTU of 1500 less all headers that there may be.
  for (let headers = 28; headers <= 80; headers += 4) {
    for (let count = 1; count <= 3; count++) {
      edges.push(count * (1500 - headers));
    }
  }
  const sizes = new Set<number>();
  for (const edge of edges) {
    for (let size = edge - 2; size <= edge + 2; size++) {
      if (size >= 0 && size <= MESSAGE_BYTES_MAX) sizes.add(size);
    }
  }
  return [...sizes].sort((one, other) => one - other);
}
