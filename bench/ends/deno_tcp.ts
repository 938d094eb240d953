/** TCP with Deno's own sockets. */
import type { Place, Replies, Requester } from "./end.ts";
import { FramedRequests, Frames } from "./framing.ts";

const CHUNK_BYTES = 64 * 1024;

async function write(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  let written = await connection.write(bytes);
  while (written < bytes.length) {
    written += await connection.write(bytes.subarray(written));
  }
}

async function* chunks(connection: Deno.Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) return;
    yield buffer.subarray(0, length);
  }
}

async function echo(connection: Deno.TcpConn): Promise<void> {
  using _ = connection;
  connection.setNoDelay(true);
  const frames = new Frames();
  for await (const chunk of chunks(connection)) {
    const whole = frames.take(chunk);
    if (whole.length > 0) await write(connection, whole);
  }
}

/** See {@linkcode End}. */
export function serve({ hostname, port }: Place): Promise<number> {
  const listener = Deno.listen({ hostname, port });
  (async () => {
    for await (const connection of listener) {
      echo(connection).catch((error: unknown) => console.error(`${error}`));
    }
  })();
  return Promise.resolve(listener.addr.port);
}

/** See {@linkcode End}. */
export async function connect(
  { hostname, port }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const connection = await Deno.connect({ hostname, port });
  connection.setNoDelay(true);
  const requests = new FramedRequests(size);
  const frames = new Frames();
  const take = (bytes: Uint8Array): void => replies.take(bytes);
  (async () => {
    for await (const chunk of chunks(connection)) {
      frames.take(chunk, take);
      // Not awaited: a server that waits for us to read must not wait for ever.
      replies.done()?.catch((error: unknown) => replies.fail(error));
    }
  })().catch((error: unknown) => replies.fail(error));
  // One write after the other, since each may end before all is written.
  let writing: Promise<void> = Promise.resolve();
  return {
    send(numbers): Promise<void> {
      const bytes = requests.encode(numbers);
      return writing = writing.then(() => write(connection, bytes));
    },
    close: () => connection.close(),
  };
}
