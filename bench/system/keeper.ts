/**
 * Sees to it that processes do not outlive this one, however it ends: those
 * that stand still hear of nothing, be it the end of their parent.
 */
import { type ChildProcess, spawn } from "node:child_process";

/** What a process gets, in words of kill(1). */
export type LastSignal = "KILL" | "CONT";

// It hears the end of its input whatever ends us, and the last line before.
const SCRIPT = `trap "" INT TERM HUP
while read -r line; do last=$line; done
for each in $last; do kill -s "\${each%:*}" "\${each#*:}"; done`;

const signals = new Map<number, LastSignal>();
let shell: ChildProcess | undefined;

function tell(): void {
  if (shell === undefined) {
    shell = spawn("sh", ["-c", SCRIPT], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    shell.unref();
    (shell.stdin as unknown as { unref?: () => void }).unref?.();
  }
  const list = [...signals].map(([pid, signal]) => `${signal}:${pid}`);
  shell.stdin!.write(`${list.join(" ")}\n`);
}

/** Send a signal to a process when this one has ended. */
export function keep(pid: number, signal: LastSignal): void {
  signals.set(pid, signal);
  tell();
}

/** It has ended. */
export function forget(pid: number): void {
  signals.delete(pid);
  tell();
}
