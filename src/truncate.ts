/**
 * Making arrays shorter.
 *
 * @module
 */

/**
 * Drop what lies behind the first `length` items of an array. To set its length
 * takes V8 a call into C++, 50 ns, and it gives memory back that the next items
 * have to allocate again.
 */
export function truncate(items: unknown[], length: number): void {
  while (items.length > length) items.pop();
}
