/** What Linux tells of processes, and how they share the cores. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** Of what /proc tells times in; the same on all machines with Linux. */
export const TICKS_PER_SECOND = 100;

/** Send a signal to each process that still runs. */
export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It has ended.
    }
  }
}

/** Seconds that processes have spent on processors until now. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    // The name, in parentheses, may have spaces in it.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]); // utime, stime
  }
  return ticks / TICKS_PER_SECOND;
}

/**
 * Seconds that all threads but the main ones have spent on processors until now:
 * those of a runtime compile and collect garbage.
 */
export function helperSeconds(pids: readonly number[]): number {
  let ns = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      if (thread === `${pid}`) continue;
      try {
        const path = `/proc/${pid}/task/${thread}/schedstat`;
        ns += Number(readFileSync(path, "utf8").split(" ")[0]);
      } catch {
        continue; // It ended just now.
      }
    }
  }
  return ns / 1e9;
}

/** How often threads of processes have left a processor to others until now. */
export function contextSwitches(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      let status: string;
      try {
        status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
      } catch {
        continue; // It ended just now.
      }
      for (const [, count] of status.matchAll(/_ctxt_switches:\s*(\d+)/g)) {
        sum += Number(count);
      }
    }
  }
  return sum;
}

/** Packets that the interface in the namespace of a process has sent. */
export function packetsSent(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/net/dev`, "utf8");
  const line = text.split("\n").find((line) => line.trim().startsWith(name));
  const fields = line?.split(":")[1]?.trim().split(/\s+/) ?? [];
  return Number(fields[9]);
}

/** Bytes of memory that a process has. */
export function memory(pid: number): number {
  return statusBytes(pid, "VmRSS");
}

/** Those that it shares with nobody: not what applications write into. */
export function privateMemory(pid: number): number {
  return statusBytes(pid, "RssAnon");
}

function statusBytes(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, kilobytes] = new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(
    status,
  )!;
  return 1024 * Number(kilobytes);
}

/**
 * Keep a process, with all its threads, on one core, where that can be said.
 *
 * @returns What lets it go.
 */
export function pin(pid: number, core: number): Disposable {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, before] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)!;
  const move = (cores: string): void => {
    spawnSync("taskset", [
      "--all-tasks",
      "--cpu-list",
      "--pid",
      cores,
      `${pid}`,
    ]);
  };
  move(`${core}`);
  return { [Symbol.dispose]: () => move(before!) };
}

/**
 * Let processes, with all their threads, take turns on the cores before anybody
 * else does (`SCHED_RR`), where that is allowed.
 *
 * @returns What lets them go.
 */
export function takeTurns(pids: readonly number[]): Disposable {
  const schedule = (policy: string, priority: number): void => {
    for (const pid of pids) {
      spawnSync("chrt", [
        "--all-tasks",
        policy,
        "--pid",
        `${priority}`,
        `${pid}`,
      ]);
    }
  };
  schedule("--rr", 1);
  return { [Symbol.dispose]: () => schedule("--other", 0) };
}
