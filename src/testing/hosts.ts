/**
 * Two hosts for end-to-end tests, and what to skip them for.
 */
import { existsSync } from "node:fs";
import {
  type Channel,
  type Connection,
  Lab,
  type LabOptions,
  type Listener,
} from "../../mod.ts";

/** Where `make build` puts programs and libraries. */
export const build: URL = new URL("../../native/build/", import.meta.url);

/** For `{ skip }`: why there can be no lab, or false. */
export const skip: string | false =
  existsSync(new URL("sidecar/machnetd", build))
    ? false
    : "machnetd was not built";

/** Two hosts with a channel each, and a listener on the first. */
export interface Hosts extends AsyncDisposable {
  readonly lab: Lab;
  readonly server: Channel;
  readonly client: Channel;
  readonly listener: Listener;
}

/** Start two hosts; directly wired unless told otherwise. */
export async function startHosts(
  options: Partial<LabOptions> = { wire: "direct" },
): Promise<Hosts> {
  const lab = await Lab.start({ hosts: 2, ...options });
  const server = await lab.hosts[0]!.attach();
  const client = await lab.hosts[1]!.attach();
  const listener = await server.listen({ port: 888 });
  return {
    lab,
    server,
    client,
    listener,
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all([server.close(), client.close()]);
      await lab.close();
    },
  };
}

/** Both ends of a new connection. */
export async function connectPair(
  { client, listener }: Hosts,
): Promise<[client: Connection, server: Connection]> {
  const { hostname, port } = listener;
  return await Promise.all([
    client.connect({ hostname, port }),
    listener.accept(),
  ]);
}

/** Wait, in milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
