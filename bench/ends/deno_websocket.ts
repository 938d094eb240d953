/** WebSocket with Deno's server. */
import type { Place } from "./end.ts";

export { connect } from "./websocket_client.ts";

/** See {@linkcode End}. */
export function serve({ hostname, port }: Place): Promise<number> {
  const server = Deno.serve(
    { hostname, port, onListen: () => {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => socket.send(data);
      return response;
    },
  );
  return Promise.resolve(server.addr.port);
}
