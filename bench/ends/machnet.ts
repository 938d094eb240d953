/** This project, in Deno and in Bun, over a sidecar or an inline engine. */
import { attach, type Channel, type Connection, Engine } from "machnet";
import { truncate } from "../../src/truncate.ts";
import { type Place, type Replies, type Requester, Requests } from "./end.ts";

// A process can have one.
let engine: Promise<Engine> | undefined;

async function open(
  { socket, spinUs, engine: options }: Place,
): Promise<Channel> {
  if (options === undefined) return await attach({ socket, spinUs });
  engine ??= Engine.start({ ...options, socket, drive: "inline" });
  return await (await engine).attach({ spinUs });
}

/** See {@linkcode End}. */
export async function serve(place: Place): Promise<number> {
  const channel = await open(place);
  const listener = await channel.listen({ port: place.port });
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
  place: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const { hostname, port } = place;
  const channel = await open(place);
  const connection = await channel.connect({ hostname, port });
  const requests = new Requests(size);
  const sending: Uint8Array[] = [];
  const reading = (async () => {
    for await (const messages of connection.batches()) {
      for (const { data } of messages) replies.take(data);
      await replies.done();
    }
  })().catch((error: unknown) => replies.fail(error));
  return {
    send(numbers): Promise<void> {
      truncate(sending, 0);
      for (const number of numbers) sending.push(requests.get(number));
      return connection.sendMany(sending);
    },
    async close(): Promise<void> {
      await connection.close();
      await reading;
      await channel.close();
    },
  };
}
