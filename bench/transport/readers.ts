/** A reader that stops, next to one that goes on. */
import { Script } from "../processes.ts";
import type { Figure } from "../figure.ts";
import type { Effort, Part } from "../benchmark.ts";
import { connectPair, rateOf, sleep, startHosts, Stream } from "../load.ts";
import { median } from "../statistics.ts";
import { memory } from "../proc.ts";

const SIZE = 1024;

/** What the peers of a running reader notice of one that stopped. */
export const readers: Part = {
  name: "readers",
  conditions: "1 kB messages one way over a direct wire, two applications on " +
    "each of two hosts",
  async measure({ seconds, rounds }: Effort): Promise<Figure[]> {
    await using hosts = await startHosts({ hosts: 2, wire: "direct" });
    const { lab, server, clients } = hosts;
    const running = new Stream(await connectPair(clients[0]!, server), SIZE);
    await sleep(1000 * seconds);
    const alone: number[] = [];
    const beside: number[] = [];
    let resumed = 0;
    let grown = 0;
    for (let round = 0; round < rounds; round++) {
      alone.push(await rateOf([running], seconds));
      await using stopped = Script.start({
        file: "bench/transport/stopped_reader.ts",
        parameters: lab.hosts.map(({ socket }) => socket),
      });
      await stopped.line(/^stopped$/);
      const pids = lab.hosts.map(({ pid }) => pid);
      const before = pids.map(memory);
      beside.push(await rateOf([running], seconds));
      for (const [index, pid] of pids.entries()) {
        grown = Math.max(grown, memory(pid) - before[index]!);
      }
      await stopped.stop();
      const [, received] = await stopped.line(/^received (\d+)$/);
      resumed += Number(received);
    }
    await running.finish();
    return [
      { name: "rate of a running reader", value: median(alone), unit: "/s" },
      {
        name: "next to a stopped one, of that",
        value: median(beside) / median(alone),
        target: { least: 0.9 },
      },
      {
        name: "messages that the stopped one had to come, all of which came",
        value: resumed,
      },
      {
        name: "growth of a sidecar while it stood still",
        value: grown / 1024,
        unit: "kB",
        target: { most: 1024 },
      },
    ];
  },
};
