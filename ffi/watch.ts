/**
 * Waiting for a descriptor that C handed over: a doorbell.
 *
 * @module
 */
import type { Socket } from "node:net";

/** A descriptor under watch. */
export interface Watcher {
  /** Let it keep the process alive, or not. It does from the start. */
  keepAlive(yes: boolean): void;
  /** Stop, and close the descriptor. */
  close(): void;
}

/**
 * Watch a socket.
 *
 * @param onRing Called when bytes came; what they were means nothing.
 * @param onEnd Called once when the other end is gone, not after `close()`.
 */
export function watch(
  socket: Socket,
  onRing: () => void,
  onEnd: () => void,
): Watcher {
  let over = false;
  function end(): void {
    if (over) return;
    over = true;
    socket.destroy();
    onEnd();
  }
  socket.on("data", () => {
    if (!over) onRing();
  });
  socket.on("end", end);
  socket.on("error", end);
  socket.on("close", end);
  return {
    keepAlive(yes: boolean): void {
      if (over) return;
      if (yes) socket.ref();
      else socket.unref();
    },
    close(): void {
      over = true;
      socket.destroy();
    },
  };
}
