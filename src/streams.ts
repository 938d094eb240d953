/**
 * Connections as WHATWG streams.
 *
 * @module
 */
import type { Connection } from "./connection.ts";

/** The messages that arrive, each a chunk of its own. */
export function readableOf(
  connection: Connection,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const messages = connection[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller): Promise<void> {
      const { done, value } = await messages.next();
      if (done) {
        controller.close();
        return;
      }
      // Whoever reads may keep it.
      controller.enqueue(value.copy());
      value.release();
    },
    async cancel(): Promise<void> {
      await messages.return!();
    },
    // What is not asked for stays in the channel, so that the peer has to wait.
  }, { highWaterMark: 0 });
}

/** Sends each chunk as a message. */
export function writableOf(
  connection: Connection,
): WritableStream<Uint8Array> {
  return new WritableStream({
    start(controller): void {
      connection.closed.catch((error) => controller.error(error));
    },
    write(chunk, controller): Promise<void> {
      // Bun has the signal, its types have not.
      const { signal } = controller as { signal?: AbortSignal };
      return connection.send(chunk, { signal });
    },
    close: () => connection.close(),
    abort: (reason) =>
      connection.reset(reason instanceof Error ? reason.message : `${reason}`),
  });
}
