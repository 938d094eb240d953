/**
 * What bench/server.ts and bench/client.ts measure: one file per transport and
 * runtime, each with the two functions here, in the way that is fast there.
 */
import process from "node:process";

/** What a script can measure, by the name on the command line. */
export const TRANSPORTS = [
  "machnet",
  "udp",
  "tcp",
  "websocket",
  "http",
] as const;

/** One of them. */
export type Transport = typeof TRANSPORTS[number];

/** An engine that a script is to run itself: see Engine.start(). */
export interface InlineEngine {
  readonly device: string;
  readonly ip: string;
  readonly mtu?: number | undefined;
}

/** Where a server is, and for machnet by which sidecar. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
  /** Control socket of the sidecar on this side, or of the script's engine. */
  readonly socket?: string | undefined;
  /** In place of a sidecar. */
  readonly engine?: InlineEngine | undefined;
  /** How long a channel looks for more before it sleeps. */
  readonly spinUs?: number | undefined;
}

/** The options that name a transport and a place, on the command line. */
export const PLACE_OPTIONS = {
  transport: "machnet, udp, tcp, websocket or http; machnet",
  hostname: "the server's; it listens on 0.0.0.0 by default, but for machnet",
  port: "the server's; 0 lets it be chosen there",
  socket: "of machnet: the control socket of another sidecar",
  "spin-us": "of machnet: see attach()",
  device: "of machnet: run an engine inline, see Engine.start()",
  ip: "of that engine, with prefix length",
  mtu: "of that engine, bytes",
} as const;

/** The place that a command line names. */
export function parsePlace(
  options: { readonly [Name in keyof typeof PLACE_OPTIONS]?: string },
): Place {
  const { hostname = "0.0.0.0", port = "0", socket, device, ip, mtu } = options;
  const number = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : Number(text);
  if (device !== undefined && ip === undefined) {
    throw new TypeError("Cannot run an engine: --device needs --ip");
  }
  return {
    hostname,
    port: Number(port),
    socket,
    spinUs: number(options["spin-us"]),
    engine: device === undefined
      ? undefined
      : { device, ip: ip!, mtu: number(mtu) },
  };
}

/** What becomes of replies. */
export interface Replies {
  /** Take a reply. */
  take(bytes: Uint8Array): void;
  /** All that came together is taken: requests may go out. */
  done(): void | Promise<void>;
  /** There will be no more. */
  fail(reason: unknown): void;
}

/** A client that is connected. */
export interface Requester {
  /**
   * Send requests of a size, in as few pieces as the transport takes; the first
   * byte of each is its number. The array is the caller's again when this returns,
   * settled or not.
   */
  send(numbers: readonly number[]): void | Promise<void>;
  close(): void | Promise<void>;
}

/** What a file in this folder exports. */
export interface End {
  /** Send everything back, for ever. @returns the port */
  serve(place: Place): Promise<number>;
  connect(place: Place, size: number, replies: Replies): Promise<Requester>;
}

// The functions, because a bundler can follow only literals.
const ENDS: Readonly<Record<string, () => Promise<End>>> = {
  "machnet": () => import("./machnet.ts"),
  "bun tcp": () => import("./bun_tcp.ts"),
  "bun udp": () => import("./bun_udp.ts"),
  "bun websocket": () => import("./bun_websocket.ts"),
  "bun http": () => import("./bun_http.ts"),
  "deno tcp": () => import("./deno_tcp.ts"),
  "deno udp": () => import("./deno_udp.ts"),
  "deno websocket": () => import("./deno_websocket.ts"),
  "deno http": () => import("./deno_http.ts"),
  "node tcp": () => import("./node_tcp.ts"),
  "node udp": () => import("./node_udp.ts"),
};

/** The end of a transport under this runtime. */
export async function loadEnd(transport: string): Promise<End> {
  const { bun, deno } = process.versions as Record<string, string | undefined>;
  const runtime = bun ? "bun" : deno ? "deno" : "node";
  const load = ENDS[transport] ?? ENDS[`${runtime} ${transport}`];
  if (load) return await load();
  throw new TypeError(
    `Cannot use transport "${transport}" in ${runtime}: there are ${
      TRANSPORTS.join(", ")
    }`,
  );
}

/** Requests of a size, each in a memory of its own, by number. */
export class Requests {
  readonly #size: number;
  readonly #all: Uint8Array<ArrayBuffer>[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  get(number: number): Uint8Array<ArrayBuffer> {
    return this.#all[number] ??= new Uint8Array(this.#size).fill(
      number,
      0,
      1,
    );
  }
}
