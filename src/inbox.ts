/**
 * Messages that arrived and were not taken yet.
 *
 * @module
 */

/**
 * A queue of (offset, length) pairs: a ring of numbers, because a message that
 * waits needs no object.
 */
export class Inbox {
  // Most connections never queue more than a few; an empty one costs nothing.
  #words: Uint32Array = EMPTY;
  #head = 0;
  #size = 0;

  /** Messages in it. */
  get size(): number {
    return this.#size;
  }

  /** Offset of the first message; look before {@linkcode shift}. */
  get offset(): number {
    return this.#words[this.#head]!;
  }

  /** Length of the first message; look before {@linkcode shift}. */
  get length(): number {
    return this.#words[this.#head + 1]!;
  }

  /** Put a message behind the others. */
  push(offset: number, length: number): void {
    if (this.#size * 2 === this.#words.length) this.#grow();
    const at = (this.#head + this.#size * 2) & (this.#words.length - 1);
    this.#words[at] = offset;
    this.#words[at + 1] = length;
    this.#size++;
  }

  /** Drop the first message. */
  shift(): void {
    this.#head = (this.#head + 2) & (this.#words.length - 1);
    this.#size--;
  }

  #grow(): void {
    const old = this.#words;
    const words = new Uint32Array(Math.max(16, old.length * 2));
    words.set(old.subarray(this.#head));
    words.set(old.subarray(0, this.#head), old.length - this.#head);
    this.#words = words;
    this.#head = 0;
  }
}

const EMPTY = new Uint32Array(0);
