import { setImmediate } from "node:timers";

/**
 * Let the event loop turn without ever sleeping: what comes in is noticed
 * without a wake-up, at the price of a core.
 */
export function stayBusy(): void {
  const turn = (): void => void setImmediate(turn);
  turn();
}
