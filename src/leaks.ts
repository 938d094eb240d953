/**
 * Objects that nobody closed while he could.
 *
 * @module
 */

/** The inside of an object, which outlives it. Must not refer to it. */
export interface Leakable {
  /** What it is, for people: `connection to 10.0.0.9:888`. */
  readonly label: string;
  /** Whether someone closed it, or it ended by itself. */
  readonly isClosed: boolean;
  /** Whether it may be left open: someone said so, with `unref()`. */
  readonly isUnreferenced?: boolean;
  /** Close it as its own `close()` does. */
  close(): Promise<unknown>;
}

const registry = new FinalizationRegistry<Leakable>((inside) => {
  if (inside.isClosed) return;
  if (!inside.isUnreferenced) {
    console.warn(
      `machnet: ${inside.label} was not closed, and nothing refers to it any ` +
        'more, so it is closed here. Call close(), or declare it "await using"',
    );
  }
  inside.close().catch(() => {}); // nobody is there to be told
});

const kept = new WeakMap<object, object>();

/** Keep an object from the garbage collector for as long as another one lives. */
export function keepWhile(owner: object, object: object): void {
  kept.set(owner, object);
}

/** Close what is in an object, and say so, once nobody can reach the object. */
export function closeIfLeaked(object: object, inside: Leakable): void {
  registry.register(object, inside);
}
