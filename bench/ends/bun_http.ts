/** HTTP with Bun's server. */
import { bun } from "./bun.ts";
import type { Place } from "./end.ts";

export { connect } from "./http_client.ts";

/** See {@linkcode End}. */
export function serve({ hostname, port }: Place): Promise<number> {
  const server = bun.serve({
    hostname,
    port,
    idleTimeout: 0,
    fetch: async (request) => new Response(await request.arrayBuffer()),
  });
  return Promise.resolve(server.port);
}
