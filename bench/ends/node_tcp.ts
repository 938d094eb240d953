/** TCP with `node:net`. */
import { connect as open, createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Place, Replies, Requester } from "./end.ts";
import { FramedRequests, Frames } from "./framing.ts";

/** See {@linkcode End}. */
export async function serve({ hostname, port }: Place): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    const frames = new Frames();
    socket.on("data", (chunk: Uint8Array) => {
      const whole = frames.take(chunk);
      if (whole.length > 0) socket.write(whole);
    });
    socket.on("error", (error) => console.error(`${error}`));
  });
  server.listen(port, hostname);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** See {@linkcode End}. */
export async function connect(
  { hostname, port }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const requests = new FramedRequests(size);
  const frames = new Frames();
  const take = (bytes: Uint8Array): void => replies.take(bytes);
  const socket = open({ host: hostname, port, noDelay: true });
  await once(socket, "connect");
  socket.on("data", (chunk: Uint8Array) => {
    frames.take(chunk, take);
    replies.done();
  });
  socket.on("error", (error) => replies.fail(error));
  return {
    send: (numbers) => void socket.write(requests.encode(numbers)),
    close: () => void socket.end(),
  };
}
