/** Messages on a stream: 4 bytes of length, big endian, then the bytes. */
import { Requests } from "./end.ts";

const HEADER_BYTES = 4;

/** Finds the messages in what a stream delivers. */
export class Frames {
  // The beginning of a message whose end has not come yet.
  #rest: Uint8Array = new Uint8Array(0);

  /**
   * Take a chunk.
   *
   * @param onMessage Gets each message that is complete; a view of the chunk.
   * @returns All complete messages with their headers, as they came.
   */
  take(chunk: Uint8Array, onMessage?: (bytes: Uint8Array) => void): Uint8Array {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    let end = 0;
    while (end + HEADER_BYTES <= bytes.length) {
      const length = bytes[end]! << 24 | bytes[end + 1]! << 16 |
        bytes[end + 2]! << 8 | bytes[end + 3]!;
      const next = end + HEADER_BYTES + length;
      if (next > bytes.length) break;
      onMessage?.(bytes.subarray(end + HEADER_BYTES, next));
      end = next;
    }
    // A copy: the runtime may use its memory again.
    this.#rest = bytes.slice(end);
    return bytes.subarray(0, end);
  }
}

/** Makes one buffer of several requests. */
export class FramedRequests {
  readonly #size: number;
  readonly #requests: Requests;

  constructor(size: number) {
    this.#size = size;
    this.#requests = new Requests(size);
  }

  encode(numbers: readonly number[]): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(numbers.length * (HEADER_BYTES + this.#size));
    const view = new DataView(bytes.buffer);
    let offset = 0;
    for (const number of numbers) {
      view.setUint32(offset, this.#size);
      bytes.set(this.#requests.get(number), offset + HEADER_BYTES);
      offset += HEADER_BYTES + this.#size;
    }
    return bytes;
  }
}
