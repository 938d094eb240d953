/**
 * Waiting that a signal can end.
 *
 * @module
 */

/**
 * Call back when a signal aborts.
 *
 * @returns A function that forgets the callback, so that a signal that lives
 * long does not collect what has long been settled.
 */
export function onAbort(
  signal: AbortSignal | undefined,
  callback: (reason: unknown) => void,
): () => void {
  if (signal === undefined) return forgetNothing;
  const listener = (): void => callback(signal.reason);
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

function forgetNothing(): void {}
