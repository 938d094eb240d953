/** TCP with Bun's own sockets. */
import { bun, type BunSocket } from "./bun.ts";
import type { Place, Replies, Requester } from "./end.ts";
import { FramedRequests, Frames } from "./framing.ts";

interface Peer {
  readonly frames: Frames;
  /** What the socket did not take yet. */
  unsent: Uint8Array[];
}

type Socket = BunSocket<Peer>;

function write(socket: Socket, bytes: Uint8Array): void {
  const { data } = socket;
  if (data.unsent.length > 0) {
    data.unsent.push(bytes);
    return;
  }
  const written = socket.write(bytes);
  if (written < bytes.length) data.unsent.push(bytes.slice(written));
}

function drain(socket: Socket): void {
  const unsent = socket.data.unsent;
  socket.data.unsent = [];
  for (const bytes of unsent) write(socket, bytes);
}

function open(socket: Socket): void {
  socket.data = { frames: new Frames(), unsent: [] };
  socket.setNoDelay(true);
}

/** See {@linkcode End}. */
export function serve({ hostname, port }: Place): Promise<number> {
  const listener = bun.listen<Peer>({
    hostname,
    port,
    socket: {
      open,
      drain,
      data(socket, chunk) {
        const whole = socket.data.frames.take(chunk);
        if (whole.length > 0) write(socket, whole);
      },
    },
  });
  return Promise.resolve(listener.port);
}

/** See {@linkcode End}. */
export async function connect(
  { hostname, port }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const requests = new FramedRequests(size);
  const take = (bytes: Uint8Array): void => replies.take(bytes);
  const socket = await bun.connect<Peer>({
    hostname,
    port,
    socket: {
      open,
      drain,
      data(socket, chunk) {
        socket.data.frames.take(chunk, take);
        replies.done();
      },
      close: () => replies.fail(new Error("The connection ended")),
    },
  });
  return {
    send: (numbers) => write(socket, requests.encode(numbers)),
    close: () => void socket.end(),
  };
}
