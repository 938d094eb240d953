/** A worker of examples/cluster.ts. */
import { attach, type Connection } from "machnet";

/** What a worker is to do. */
export interface Task {
  readonly name: string;
  readonly socket: string | undefined;
  readonly port: number;
}

/** Where it listens. */
export interface Told {
  readonly hostname: string;
  readonly port: number;
}

declare const self: {
  onmessage: (event: { data: Task | "end" }) => void;
  postMessage(told: Told): void;
  close(): void;
};

const ended = new AbortController();

self.onmessage = async ({ data }) => {
  if (data === "end") ended.abort();
  else {
    await work(data);
    self.close();
  }
};

async function work({ name, socket, port }: Task): Promise<void> {
  // A channel belongs to the thread that attached it.
  await using channel = await attach({ socket });
  await using listener = await channel.listen({
    port,
    reuse: true,
    signal: ended.signal,
  });
  self.postMessage({ hostname: listener.hostname, port: listener.port });
  for await (const connection of listener) {
    answer(connection, name).catch((error: unknown) =>
      console.error(`${error}`)
    );
  }
}

async function answer(connection: Connection, name: string): Promise<void> {
  await using _ = connection;
  for await (const message of connection) {
    const text = new TextDecoder().decode(message.data);
    await connection.send(new TextEncoder().encode(`${name} heard "${text}"`));
  }
}
