/** WebSocket with Bun's server. */
import { bun } from "./bun.ts";
import type { Place } from "./end.ts";

export { connect } from "./websocket_client.ts";

/** See {@linkcode End}. */
export function serve({ hostname, port }: Place): Promise<number> {
  const server = bun.serve({
    hostname,
    port,
    fetch(request, server) {
      if (server.upgrade(request)) return;
      return new Response("a WebSocket is wanted", { status: 426 });
    },
    websocket: {
      message(socket, bytes) {
        socket.send(bytes);
      },
    },
  });
  return Promise.resolve(server.port);
}
