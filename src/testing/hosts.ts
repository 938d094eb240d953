/**
 * Two hosts for end-to-end tests, and what to skip them for.
 */
import { existsSync } from "node:fs";
import process from "node:process";
import {
  type Channel,
  type Connection,
  Lab,
  type LabHost,
  type LabOptions,
  type Listener,
} from "../../mod.ts";

/** Where `make build` puts programs and libraries. */
export const build: URL = new URL("../../native/build/", import.meta.url);

/** For `{ skip }`: why there can be no hosts, or false. */
export let skip: string | false = existsSync(new URL("sidecar/machnetd", build))
  ? false
  : "machnetd was not built";

/** Two sidecars and what joins them. */
export interface Wire extends AsyncDisposable {
  readonly hosts: readonly LabHost[];
}

/** Two hosts with a channel each, and a listener on the first. */
export interface Hosts extends AsyncDisposable {
  readonly sidecars: readonly LabHost[];
  readonly server: Channel;
  readonly client: Channel;
  readonly listener: Listener;
}

/** Bytes in an IP packet on the wire of {@linkcode startHosts}. */
export let mtu = 1500;

let startWire: () => Promise<Wire> = () =>
  Lab.start({ hosts: 2, wire: "direct" });

/**
 * Let {@linkcode startHosts} use another wire than memif, in test files that are
 * imported after this call.
 *
 * @param unable Why it cannot be used here, or false.
 */
export function useWire(
  start: () => Promise<Wire>,
  unable: string | false,
  bytes: number = 1500,
): void {
  startWire = start;
  skip ||= unable;
  mtu = bytes;
}

/** Start two hosts. */
export async function startHosts(): Promise<Hosts> {
  return await openHosts(await startWire());
}

/** Start two hosts that a fabric joins. */
export async function startFabric(
  options: Partial<LabOptions> = {},
): Promise<Hosts & { readonly lab: Lab }> {
  const lab = await Lab.start({ hosts: 2, wire: "fabric", ...options });
  return { lab, ...await openHosts(lab) };
}

async function openHosts(wire: Wire): Promise<Hosts> {
  const [one, other] = wire.hosts;
  const server = await one!.attach();
  const client = await other!.attach();
  const listener = await server.listen({ port: 888 });
  return {
    sidecars: wire.hosts,
    server,
    client,
    listener,
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all([server.close(), client.close()]);
      await wire[Symbol.asyncDispose]();
    },
  };
}

/** For what must come, in milliseconds: so long that no machine is too slow. */
export const PATIENCE_MS = 60_000;

/** Both ends of a new connection. */
export async function connectPair(
  { client, listener }: Pick<Hosts, "client" | "listener">,
): Promise<[client: Connection, server: Connection]> {
  const { hostname, port } = listener;
  return await Promise.all([
    client.connect({ hostname, port, timeout: PATIENCE_MS }),
    listener.accept(),
  ]);
}

/** Wait, in milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Wait until something is so that no event tells of. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  while (!await isSo()) await sleep(1);
}

/** Whether a process runs. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
