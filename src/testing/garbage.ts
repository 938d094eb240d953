/**
 * Making the garbage collector run, in either runtime.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { PATIENCE_MS, sleep } from "./hosts.ts";

const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };

function findCollector(): () => void {
  if (Bun) return () => Bun.gc(true);
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

const collect = findCollector();

/** Make the garbage collector run, finalizers included. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    collect();
    await sleep(5);
  }
}

/** Collect garbage until something is so, since when it is, nobody promises. */
export async function collectUntil(isSo: () => boolean): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS;
  while (!isSo() && performance.now() < end) await collectGarbage();
  return isSo();
}

/** What is written with console.warn() from now on, until disposed. */
export function catchWarnings(): Disposable & { readonly lines: string[] } {
  const lines: string[] = [];
  const { warn } = console;
  console.warn = (...values) => void lines.push(values.join(" "));
  return {
    lines,
    [Symbol.dispose]: () => void (console.warn = warn),
  };
}
