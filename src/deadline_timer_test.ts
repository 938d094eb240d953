import assert from "node:assert/strict";
import { test } from "node:test";
import { DeadlineTimer } from "./deadline_timer.ts";

const HOUR_MS = 3_600_000;

/** Waits whose deadlines are so many milliseconds from now. */
class Waits {
  readonly timer: DeadlineTimer = new DeadlineTimer((now) => this.#expire(now));
  /** Deadlines that have passed. */
  readonly expired: number[] = [];
  readonly #start = performance.now();
  #waiting: number[] = [];
  #onExpired = (): void => {};

  add(ms: number): void {
    this.#waiting.push(ms);
    this.timer.add(this.#start + ms);
  }

  remove(ms: number): void {
    this.#waiting = this.#waiting.filter((one) => one !== ms);
    this.timer.remove();
  }

  /** Until so many have expired. */
  async until(count: number): Promise<void> {
    while (this.expired.length < count) {
      await new Promise<void>((resolve) => this.#onExpired = resolve);
    }
  }

  #expire(now: number): number {
    const passed = this.#waiting.filter((ms) => this.#start + ms <= now);
    for (const ms of passed) this.remove(ms);
    this.expired.push(...passed.sort((one, other) => one - other));
    this.#onExpired();
    return this.#start + Math.min(...this.#waiting);
  }
}

test("DeadlineTimer fires at each deadline, also at one before the first", async () => {
  const waits = new Waits();
  for (const ms of [HOUR_MS, 40, 20]) waits.add(ms);
  await waits.until(2);
  assert.deepEqual(waits.expired, [20, 40]);
  waits.timer.stop();
});

test("DeadlineTimer goes on when a deadline was met", async () => {
  const waits = new Waits();
  waits.add(20);
  waits.remove(20);
  waits.add(40);
  await waits.until(1);
  assert.deepEqual(waits.expired, [40]);
});

test("DeadlineTimer fires again after it had nothing to wait for", async () => {
  const waits = new Waits();
  waits.add(10);
  await waits.until(1);
  waits.add(30);
  await waits.until(2);
  assert.deepEqual(waits.expired, [10, 30]);
});

test("DeadlineTimer does not fire once it is stopped", async () => {
  const [stopped, other] = [new Waits(), new Waits()];
  stopped.add(10);
  stopped.timer.stop();
  other.add(30);
  await other.until(1);
  assert.deepEqual(stopped.expired, []);
});
