/** This project, over a sidecar, in Deno and in Bun. */
import { attach, type Connection } from "machnet";
import { type Place, type Replies, type Requester, Requests } from "./end.ts";

/** See {@linkcode End}. */
export async function serve(
  { port, socket, spinUs }: Place,
): Promise<number> {
  const channel = await attach({ socket, spinUs });
  const listener = await channel.listen({ port });
  (async () => {
    for await (const connection of listener) {
      echo(connection).catch((error: unknown) => console.error(`${error}`));
    }
  })();
  return listener.port;
}

async function echo(connection: Connection): Promise<void> {
  await using _ = connection;
  for await (const messages of connection.batches()) {
    await connection.sendMany(messages);
  }
}

/** See {@linkcode End}. */
export async function connect(
  { hostname, port, socket, spinUs }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const channel = await attach({ socket, spinUs });
  const connection = await channel.connect({ hostname, port });
  const requests = new Requests(size);
  const reading = (async () => {
    for await (const messages of connection.batches()) {
      for (const { data } of messages) replies.take(data);
      await replies.done();
    }
  })().catch((error: unknown) => replies.fail(error));
  return {
    send(numbers): Promise<void> {
      return connection.sendMany(numbers.map((each) => requests.get(each)));
    },
    async close(): Promise<void> {
      await connection.close();
      await reading;
      await channel.close();
    },
  };
}
