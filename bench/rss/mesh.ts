/** Two hosts with a channel on each engine, and connections between them. */
import type { Channel, Connection, LabHost, Listener } from "machnet";

const SIZE = 64;

/** Connections over all pairs of engines, in turn. */
export class Mesh implements AsyncDisposable {
  /** Those that were opened: the client's end, and the other one. */
  readonly pairs: (readonly [Connection, Connection])[] = [];

  readonly #hosts: readonly LabHost[];
  readonly #clients: readonly Channel[];
  readonly #listeners: readonly Listener[];
  readonly #channels: readonly Channel[];

  private constructor(
    hosts: readonly LabHost[],
    servers: readonly Channel[],
    clients: readonly Channel[],
    listeners: readonly Listener[],
  ) {
    this.#hosts = hosts;
    this.#clients = clients;
    this.#listeners = listeners;
    this.#channels = [...servers, ...clients];
  }

  /** Attach to all engines of the first two hosts. */
  static async open(
    [server, client]: readonly LabHost[],
    engines: number,
  ): Promise<Mesh> {
    const hosts = [server!, client!];
    const [servers, clients] = await Promise.all(
      hosts.map((host) =>
        Promise.all(
          Array.from(
            { length: engines },
            (_, engine) => host.attach({ engine }),
          ),
        )
      ),
    ) as [Channel[], Channel[]];
    const listeners = await Promise.all(
      servers.map((each) => each.listen({ port: 0 })),
    );
    return new Mesh(hosts, servers, clients, listeners);
  }

  /** Open so many more connections, one after the other. */
  async connect(count: number): Promise<Connection[]> {
    const opened: Connection[] = [];
    for (let i = 0; i < count; i++) {
      const pair = this.pairs.length;
      const engines = this.#clients.length;
      const listener = this.#listeners[pair % engines]!;
      const client = this.#clients[Math.floor(pair / engines) % engines]!;
      const { hostname, port } = listener;
      const ends = await Promise.all([
        client.connect({ hostname, port, timeout: 10_000 }),
        listener.accept(),
      ]);
      this.pairs.push(ends);
      opened.push(ends[0]);
    }
    return opened;
  }

  /** So many messages each way over each connection, one at a time. */
  async pass(count: number): Promise<void> {
    const bytes = new Uint8Array(SIZE);
    await Promise.all(this.pairs.map(async ([one, other]) => {
      for (let i = 0; i < count; i++) {
        await one.send(bytes);
        (await other.receive()).release();
        await other.send(bytes);
        (await one.receive()).release();
      }
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

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#channels.map((channel) => channel.close()));
  }
}
