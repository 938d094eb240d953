/** What the files here use of Bun, so that they need no types of Bun's. */

/** A TCP socket. */
export interface BunSocket<Data> {
  data: Data;
  /** @returns How many bytes it took. */
  write(bytes: Uint8Array): number;
  setNoDelay(on: boolean): void;
  end(): void;
}

/** What a TCP socket calls. */
export interface BunHandlers<Data> {
  open(socket: BunSocket<Data>): void;
  data(socket: BunSocket<Data>, chunk: Uint8Array): void;
  drain(socket: BunSocket<Data>): void;
  close?(socket: BunSocket<Data>): void;
}

/** A UDP socket. */
export interface BunDatagrams {
  readonly port: number;
  send(bytes: Uint8Array, port?: number, address?: string): boolean;
  close(): void;
}

interface BunPlace {
  readonly hostname: string;
  readonly port: number;
}

interface BunGlobal {
  listen<Data>(
    options: BunPlace & { socket: BunHandlers<Data> },
  ): { readonly port: number };
  connect<Data>(
    options: BunPlace & { socket: BunHandlers<Data> },
  ): Promise<BunSocket<Data>>;
  udpSocket(
    options: Partial<BunPlace> & {
      connect?: BunPlace;
      socket: {
        data(
          socket: BunDatagrams,
          bytes: Uint8Array,
          port: number,
          address: string,
        ): void;
      };
    },
  ): Promise<BunDatagrams>;
  serve(
    options: BunPlace & {
      idleTimeout?: number;
      fetch(
        request: Request,
        server: { upgrade(request: Request): boolean },
      ): Response | undefined | Promise<Response>;
      websocket?: {
        message(
          socket: { send(bytes: string | Uint8Array): void },
          bytes: string | Uint8Array,
        ): void;
      };
    },
  ): { readonly port: number };
}

/** Bun. */
export const bun: BunGlobal = (globalThis as unknown as { Bun: BunGlobal }).Bun;
