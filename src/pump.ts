/**
 * When to look into the channels: all the time while something happens, never
 * while nothing does.
 *
 * There is one loop per thread and not one per channel. A loop that spins keeps
 * the runtime from its sockets, doorbells included, so that a channel that slept
 * while another one's loop spun would be woken late.
 *
 * @module
 */
import { clearInterval, setImmediate, setInterval } from "node:timers";

// How long one look may wait in C, which yields the processor meanwhile: where
// four busy threads share two cores, yielding is what lets the engine answer.
// Longer makes round trips no faster; Deno asks the operating system about
// sockets only once in 61 turns of such a loop, so that they would wait longer.
const LOOK_US = 20;

// With several channels open: waiting in one keeps the others waiting.
const LOOK_SHARED_US = 1;

// Where the process is not to live for the loop: Deno runs an immediate that is
// not referenced only when something else makes its event loop turn.
const HEARTBEAT_MS = 1;

/** How long to go on looking after the last activity, unless one says. */
export const SPIN_US_DEFAULT = 300;

/** What the loop looks into. */
export interface Pumped {
  /**
   * Microseconds to go on looking after the last activity. Waking from the
   * doorbell costs 30 to 50, so that sleeping early slows down every reply.
   */
  readonly spinUs: number;
  /** Whether the process is to live while the loop turns. */
  readonly keepsAlive: boolean;
  /** Look once, for so long. @returns The number of things that happened. */
  look(spinUs: number): number;
  /** @returns Whether the bell will ring when there is something to look at. */
  prepareSleep(): boolean;
}

const channels: Pumped[] = [];
let awake = false;
let active = false;
let quietSince = 0;
let heartbeat: ReturnType<typeof setInterval> | undefined;

/** Look into a channel from now on: something can happen on it. */
export function pump(channel: Pumped): void {
  channels.push(channel);
}

/** Look into a channel no more: nothing can happen on it. */
export function unpump(channel: Pumped): void {
  const index = channels.indexOf(channel);
  if (index >= 0) channels.splice(index, 1);
}

/** Something was asked of an engine, or a doorbell rang. */
export function kick(): void {
  active = true;
  if (awake) return;
  awake = true;
  turnAgain();
}

/** Whether it goes on looking. */
export function isAwake(): boolean {
  return awake;
}

function turnAgain(): void {
  const next = setImmediate(turn);
  // Who asks for the first thing on a channel kicks before it is looked into.
  if (channels.length === 0 || channels.some(keepsAlive)) {
    stopHeartbeat();
    return;
  }
  next.unref();
  heartbeat ??= setInterval(() => {}, HEARTBEAT_MS).unref();
}

// Here, because a closure for each turn would be garbage.
function keepsAlive(channel: Pumped): boolean {
  return channel.keepsAlive;
}

function stopHeartbeat(): void {
  if (heartbeat === undefined) return;
  clearInterval(heartbeat);
  heartbeat = undefined;
}

function turn(): void {
  let happened = 0;
  const lookUs = channels.length === 1 ? LOOK_US : LOOK_SHARED_US;
  // From the end, because a channel may take itself out.
  for (let index = channels.length - 1; index >= 0; index--) {
    happened += channels[index]!.look(index === 0 ? lookUs : 0);
  }
  if (happened > 0 || active) {
    active = false;
    quietSince = 0;
  } else if (isLongQuiet() && prepareSleep()) {
    awake = false;
    stopHeartbeat();
    return;
  }
  turnAgain();
}

function isLongQuiet(): boolean {
  const now = performance.now();
  if (quietSince === 0) quietSince = now;
  const quietUs = 1000 * (now - quietSince);
  return channels.every(({ spinUs }) => quietUs >= spinUs);
}

function prepareSleep(): boolean {
  let ready = true;
  for (let index = channels.length - 1; index >= 0; index--) {
    ready = channels[index]!.prepareSleep() && ready;
  }
  return ready;
}
