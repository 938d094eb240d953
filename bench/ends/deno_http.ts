/** HTTP with Deno's server. */
import type { Place } from "./end.ts";

export { connect } from "./http_client.ts";

/** See {@linkcode End}. */
export function serve({ hostname, port }: Place): Promise<number> {
  const server = Deno.serve(
    { hostname, port, onListen: () => {} },
    async (request) => new Response(await request.arrayBuffer()),
  );
  return Promise.resolve(server.addr.port);
}
