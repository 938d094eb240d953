/**
 * Work that C does on a thread of its own.
 *
 * @module
 */
import type { Library } from "../ffi/library.ts";
import { Status } from "../ffi/status.ts";
import { ErrorBuffer } from "../ffi/structs.ts";
import { onAbort } from "./abort.ts";

/** The calls of one kind of job. */
export interface Job {
  /** What the caller wants: `Cannot attach to machnet`. */
  readonly attempt: string;
  /** Begin, filling `fd`. @returns The job, or a negative status. */
  begin(fd: Uint8Array, error: Uint8Array): number;
  /** Collect the result. @returns A status; AGAIN if it is too early. */
  end(job: number, error: Uint8Array): number;
}

/**
 * Run a job without keeping the event loop from its work.
 *
 * @param signal Gives up the job; the promise rejects with its reason.
 * @throws {MachnetError} If the job failed.
 */
export async function runJob(
  library: Library,
  { attempt, begin, end }: Job,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const error = new ErrorBuffer();
  const fd = new Int32Array(1);
  const job = begin(new Uint8Array(fd.buffer), error.bytes);
  if (job < 0) throw error.toError(job, attempt);
  const status = await new Promise<number>((resolve, reject) => {
    function collect(): boolean {
      const status = end(job, error.bytes);
      if (status === Status.AGAIN) return false;
      forget();
      watcher.close();
      resolve(status);
      return true;
    }
    const watcher = library.watch(fd[0]!, collect, () => {
      if (!collect()) resolve(Status.SYSTEM_ERROR);
    });
    const forget = onAbort(signal, (reason) => {
      library.calls.machnet_job_abandon(job);
      watcher.close();
      reject(reason);
    });
  });
  // Made here, so that its stack leads to whoever wanted it.
  if (status !== Status.OK) throw error.toError(status, attempt);
}
