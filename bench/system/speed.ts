/** How fast the machine itself is, since that changes from second to second. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { ROOT } from "../processes.ts";
import { TICKS_PER_SECOND } from "../proc.ts";

/** See native/bench/machine_speed.c; in nanoseconds. */
export interface Speed {
  /** A round trip between two cores through shared memory. */
  readonly coresNs: number;
  /** Handing a core to another process and getting it back. */
  readonly yieldNs: number;
}

/** It has moved if it is so many times what it was. */
const MOVED = 1.5;

/** Measure it, which takes some 50 ms. */
export function machineSpeed(): Speed {
  const program = resolve(ROOT, "native/build/bench/machine-speed");
  const text = execFileSync(program, { encoding: "utf8", env: process.env });
  return JSON.parse(text) as Speed;
}

/** Seconds that all processors together have been at work until now. */
export function busySeconds(): number {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const [user, nice, system, , , irq, softirq, steal] = line
    .split(/\s+/).slice(1).map(Number) as number[];
  return (user! + nice! + system! + irq! + softirq! + steal!) /
    TICKS_PER_SECOND;
}

/** Whether the machine changed between two looks at it. */
export function moved(before: Speed, after: Speed): boolean {
  const names = ["coresNs", "yieldNs"] as const;
  return names.some((name) => {
    const ratio = after[name] / before[name];
    return ratio > MOVED || ratio < 1 / MOVED;
  });
}
