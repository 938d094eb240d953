/** UDP with Bun's own sockets. */
import { bun } from "./bun.ts";
import { type Place, type Replies, type Requester, Requests } from "./end.ts";

/** See {@linkcode End}. */
export async function serve({ hostname, port }: Place): Promise<number> {
  const socket = await bun.udpSocket({
    hostname,
    port,
    socket: {
      data(socket, bytes, port, address) {
        socket.send(bytes, port, address);
      },
    },
  });
  return socket.port;
}

/** See {@linkcode End}. */
export async function connect(
  { hostname, port }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const requests = new Requests(size);
  const socket = await bun.udpSocket({
    connect: { hostname, port },
    socket: {
      data(_, bytes) {
        replies.take(bytes);
        replies.done();
      },
    },
  });
  return {
    send(numbers): void {
      for (const number of numbers) socket.send(requests.get(number));
    },
    close: () => socket.close(),
  };
}
