/** What waits for messages, and how little of a processor it takes. */
import { Lab } from "machnet";
import type { Figure } from "../figure.ts";
import { sleep } from "../load.ts";
import type { Effort, Part } from "../benchmark.ts";
import { RUNTIME_NAMES, RUNTIMES, Script } from "../processes.ts";
import { cpuSeconds } from "../proc.ts";

// Processor time is counted in ticks of 10 ms.
const PATIENCE = 10;

/** What scripts, sidecars and the fabric take while nothing happens. */
export const rest: Part = {
  name: "rest",
  conditions:
    "a server in each runtime with an open connection, two sidecars " +
    "and the fabric between them, and no message under way",
  async measure({ seconds }: Effort): Promise<Figure[]> {
    await using lab = await Lab.start({ hosts: 2 });
    const [here, there] = lab.hosts;
    await using channel = await here!.attach();
    await using servers = new AsyncDisposableStack();
    const watched: [name: string, pid: number][] = lab.hosts.map((
      { pid },
      index,
    ) => [`sidecar ${index + 1}`, pid]);
    watched.push(["fabric", lab.fabricPid!]);
    for (const runtime of RUNTIMES) {
      const server = servers.use(Script.start({
        runtime,
        file: "examples/echo_server.ts",
        parameters: ["--socket", there!.socket, "--port", "0"],
      }));
      const [, port] = await server.line(/listening on .*:(\d+)/);
      const connection = servers.use(
        await channel.connect({ hostname: there!.address, port: Number(port) }),
      );
      await connection.send(new Uint8Array(64));
      (await connection.receive()).release();
      watched.push([`script in ${RUNTIME_NAMES[runtime]}`, server.pid]);
    }
    await sleep(1000); // until the last of them has gone to sleep
    const before = watched.map(([, pid]) => cpuSeconds([pid]));
    const started = performance.now();
    await sleep(1000 * seconds * PATIENCE);
    const elapsed = (performance.now() - started) / 1000;
    return watched.map(([name, pid], index): Figure => ({
      name: `processor taken by an idle ${name}`,
      value: 100 * (cpuSeconds([pid]) - before[index]!) / elapsed,
      unit: "%",
      target: { most: 1 },
    }));
  },
};
