/**
 * Connections between all engines of two hosts.
 */
import assert from "node:assert/strict";
import type { Channel, Connection, LabHost } from "../../mod.ts";
import { connectPair, PATIENCE_MS } from "./hosts.ts";
import { matches, pattern } from "./pattern.ts";

const PORT = 900;

/** A channel on each engine, and a connection for each pair of engines. */
export class Mesh implements AsyncDisposable {
  /** The client's end first. */
  readonly pairs: readonly (readonly [Connection, Connection])[];

  readonly #hosts: readonly LabHost[];
  readonly #channels: readonly Channel[];
  #rounds = 0;

  private constructor(
    hosts: readonly LabHost[],
    channels: readonly Channel[],
    pairs: readonly (readonly [Connection, Connection])[],
  ) {
    this.#hosts = hosts;
    this.#channels = channels;
    this.pairs = pairs;
  }

  /** Open it, from the second host to the first. */
  static async open(
    hosts: readonly LabHost[],
    engines: number,
  ): Promise<Mesh> {
    const attachAll = (host: LabHost): Promise<Channel[]> =>
      Promise.all(
        Array.from({ length: engines }, (_, engine) => host.attach({ engine })),
      );
    const servers = await attachAll(hosts[0]!);
    const clients = await attachAll(hosts[1]!);
    const pairs: [Connection, Connection][] = [];
    for (const [index, server] of servers.entries()) {
      await using listener = await server.listen({ port: PORT + index });
      for (const client of clients) {
        const pair = await connectPair({ client, listener });
        const { local, remote } = pair[0].path;
        assert.deepEqual([local, remote], [client.engine, server.engine]);
        pairs.push(pair);
      }
    }
    return new Mesh(hosts, [...servers, ...clients], pairs);
  }

  /** A message each way over each connection, as long as the caller says so. */
  async pass(more: () => boolean): Promise<void> {
    await Promise.all(this.pairs.map(async ([one, other], index) => {
      do {
        const length = (this.#rounds++ * 997 + index) % 4000;
        for (const [from, to] of [[one, other], [other, one]] as const) {
          await from.send(pattern(index, length));
          using message = await to.receive();
          assert.ok(matches(message.data, index, length));
        }
      } while (more());
    }));
  }

  /** Packets that came in at another engine than their own, at both hosts. */
  async handedOver(): Promise<number> {
    const all = await Promise.all(this.#hosts.map((host) => host.stats()));
    return all.reduce(
      (sum, { sidecar }) => sum + sidecar["packets_handed_over"]!,
      0,
    );
  }

  /** Pass messages until twenty of each connection came in where they should:
   * the background has repaired what there was. */
  async settle(): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (let time = 0; time < 100 || performance.now() < end; time++) {
      const before = await this.handedOver();
      let left = 20 * this.pairs.length;
      await this.pass(() => --left > 0);
      if (await this.handedOver() === before) return;
    }
    assert.fail("Packets still come in at other engines than their own");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#channels.map((channel) => channel.close()));
  }
}
