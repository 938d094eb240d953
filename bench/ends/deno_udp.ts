/** UDP with Deno's own sockets, which are unstable: --unstable-net. */
import { type Place, type Replies, type Requester, Requests } from "./end.ts";

function open(hostname: string, port: number): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port });
}

/** See {@linkcode End}. */
export function serve({ hostname, port }: Place): Promise<number> {
  const socket = open(hostname, port);
  (async () => {
    for await (const [bytes, from] of socket) await socket.send(bytes, from);
  })();
  return Promise.resolve((socket.addr as Deno.NetAddr).port);
}

/** See {@linkcode End}. */
export function connect(
  { hostname, port }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const socket = open("0.0.0.0", 0);
  const requests = new Requests(size);
  const there: Deno.NetAddr = { transport: "udp", hostname, port };
  (async () => {
    for await (const [bytes] of socket) {
      replies.take(bytes);
      await replies.done();
    }
  })().catch((error: unknown) => replies.fail(error));
  return Promise.resolve({
    async send(numbers): Promise<void> {
      for (const number of numbers.slice()) {
        await socket.send(requests.get(number), there);
      }
    },
    close: () => socket.close(),
  });
}
