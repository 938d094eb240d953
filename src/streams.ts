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
      // Not when it is closed: whoever pipes what he reads back is done then.
      connection.closed.catch((error) => controller.error(error));
    },
    async write(chunk, controller): Promise<void> {
      // Bun has the signal, its types have not.
      const { signal } = controller as { signal?: AbortSignal };
      try {
        await connection.send(chunk, { signal });
      } catch (error) {
        controller.error(error);
        // The peer must not take what came before for all there is.
        connection.reset(textOf(error));
        throw error;
      }
    },
    close: () => connection.close(),
    abort: (reason) => connection.reset(textOf(reason)),
  });
}

function textOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : `${reason}`;
}
