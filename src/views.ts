/**
 * Views of memory that is lent again and again.
 *
 * @module
 */

// As many as one look into the channel finds, and some that are held meanwhile.
const BITS = 8;

// 2^32 over the golden ratio: spreads what lies side by side, and what lies in
// steps of any power of two (Knuth, The Art of Computer Programming, 6.4).
const SPREAD = 0x9e3779b1;

// Blocks lie on multiples of this.
const BLOCK_BITS = 8;

/**
 * Keeps the views that were asked for last, at most 256 of them, since messages
 * of a size land in the same few blocks: a view is the only thing that would be
 * allocated for each.
 */
export class Views {
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #views: (Uint8Array<ArrayBuffer> | undefined)[] = Array.from(
    { length: 1 << BITS },
    () => undefined,
  );

  /** @param memory From the start of its buffer. */
  constructor(memory: Uint8Array<ArrayBuffer>) {
    this.#memory = memory;
  }

  /** A view of some bytes: the same as before, if it was kept. */
  get(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const at = Math.imul(offset >>> BLOCK_BITS, SPREAD) >>> (32 - BITS);
    const view = this.#views[at];
    return view !== undefined && view.byteOffset === offset &&
        view.length === length
      ? view
      : this.#views[at] = this.#memory.subarray(offset, offset + length);
  }
}
