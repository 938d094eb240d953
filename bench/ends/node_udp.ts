/** UDP with `node:dgram`. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type Place, type Replies, type Requester, Requests } from "./end.ts";

/** See {@linkcode End}. */
export async function serve({ hostname, port }: Place): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, { port, address }) => {
    socket.send(bytes, port, address);
  });
  socket.bind(port, hostname);
  await once(socket, "listening");
  return socket.address().port;
}

/** See {@linkcode End}. */
export async function connect(
  { hostname, port }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const requests = new Requests(size);
  const socket = createSocket("udp4");
  socket.connect(port, hostname);
  await once(socket, "connect");
  socket.on("message", (bytes) => {
    replies.take(bytes);
    replies.done();
  });
  socket.on("error", (error) => replies.fail(error));
  return {
    send(numbers): void {
      for (const number of numbers) socket.send(requests.get(number));
    },
    close: () => void socket.close(),
  };
}
