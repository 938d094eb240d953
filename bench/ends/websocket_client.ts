/** The WebSocket that both runtimes have. */
import { type Place, type Replies, type Requester, Requests } from "./end.ts";

/** See {@linkcode End}. */
export async function connect(
  { hostname, port }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const requests = new Requests(size);
  const socket = new WebSocket(`ws://${hostname}:${port}/`);
  socket.binaryType = "arraybuffer";
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("Cannot open a WebSocket"));
  });
  socket.onerror = () => replies.fail(new Error("The WebSocket failed"));
  socket.onmessage = ({ data }) => {
    replies.take(new Uint8Array(data as ArrayBuffer));
    replies.done();
  };
  return {
    send(numbers): void {
      for (const number of numbers) socket.send(requests.get(number));
    },
    close: () => socket.close(),
  };
}
