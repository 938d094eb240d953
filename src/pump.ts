/**
 * When to look into a channel: all the time while something happens, never
 * while nothing does.
 *
 * @module
 */
import { setImmediate } from "node:timers";

// How long one look may wait in C, which yields the processor meanwhile. The
// script's other work waits for as long.
const SPIN_US = 20;

// How long to go on looking after the last activity. Waking from the doorbell
// costs 30 to 50 us, so that sleeping earlier would slow down every reply.
const SPIN_WINDOW_MS = 0.3;

/** Pumps of this thread that are awake: several may not block each other. */
let awake = 0;

/** What a pump drives. */
export interface Pumped {
  /**
   * Look once.
   *
   * @returns The number of things that happened, negative if the channel is
   * over.
   */
  look(spinUs: number): number;
  /** @returns 1 if there is something to look at, 0 if the bell will ring. */
  prepareSleep(): number;
}

enum Mode {
  Asleep,
  Awake,
  Stopped,
}

/** One loop per channel. */
export class Pump {
  readonly #pumped: Pumped;
  readonly #turnBound = (): void => this.#turn();
  #mode: Mode = Mode.Asleep;
  #active = false;
  #quietSince = 0;

  constructor(pumped: Pumped) {
    this.#pumped = pumped;
  }

  /** Something was asked of the engine, or the doorbell rang. */
  kick(): void {
    this.#active = true;
    if (this.#mode === Mode.Asleep) {
      this.#mode = Mode.Awake;
      awake++;
      setImmediate(this.#turnBound);
    }
  }

  /** Never look again. */
  stop(): void {
    if (this.#mode === Mode.Awake) awake--;
    this.#mode = Mode.Stopped;
  }

  #turn(): void {
    if (this.#mode !== Mode.Awake) return;
    const happened = this.#pumped.look(awake === 1 ? SPIN_US : 1);
    if (happened < 0) return;
    if (happened > 0 || this.#active) {
      this.#active = false;
      this.#quietSince = 0;
    } else if (this.#quietFor() > SPIN_WINDOW_MS && this.#sleep()) {
      return;
    }
    setImmediate(this.#turnBound);
  }

  #quietFor(): number {
    const now = performance.now();
    if (this.#quietSince === 0) this.#quietSince = now;
    return now - this.#quietSince;
  }

  #sleep(): boolean {
    if (this.#pumped.prepareSleep() !== 0) return false;
    if (this.#mode === Mode.Awake) {
      this.#mode = Mode.Asleep;
      awake--;
    }
    return true;
  }
}
