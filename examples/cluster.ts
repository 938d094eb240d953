/**
 * A server that uses all cores: a worker on each, with a channel of its own, and
 * one port that they listen on together. Connections are spread over them.
 *
 *     deno run --allow-ffi --allow-read examples/cluster.ts
 *     bun examples/cluster.ts
 *
 * Options: --port (888 by default), --socket (the control socket of another
 * sidecar than this machine's), --workers (as many as there are cores).
 * Ctrl-C ends it. Talk to it with examples/hello.ts.
 */
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import type { Task, Told } from "./cluster_worker.ts";

const { port, socket, workers } = parseArgs(process.argv.slice(2), {
  string: ["port", "socket", "workers"],
});
const count = Number(workers ?? availableParallelism());

/** Start a worker. @returns It, and where it listens. */
async function start(task: Task): Promise<{ worker: Worker; listening: Told }> {
  const url = new URL("./cluster_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  worker.postMessage(task);
  const listening = await new Promise<Told>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  return { worker, listening };
}

// The first may have to find a port that is free, for the others to share.
const first = await start({
  name: "worker 1",
  socket,
  port: Number(port ?? 888),
});
const { hostname, port: shared } = first.listening;
const others = await Promise.all(
  Array.from(
    { length: count - 1 },
    (_, index) => start({ name: `worker ${index + 2}`, socket, port: shared }),
  ),
);
console.log(`${count} workers on ${hostname}:${shared}`);

process.once("SIGINT", () => {
  for (const { worker } of [first, ...others]) worker.postMessage("end");
});
