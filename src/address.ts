/**
 * IPv4 addresses and endpoints.
 *
 * @module
 */

/**
 * One end of a connection.
 *
 * @example
 * ```ts
 * import type { Endpoint } from "machnet";
 *
 * const service: Endpoint = { hostname: "10.0.0.2", port: 888 };
 * console.log(service.hostname);
 * ```
 */
export interface Endpoint {
  /** IPv4 address of the host's sidecar. */
  readonly hostname: string;
  /** Service port; 0 at the end that connected, which has none. */
  readonly port: number;
}

/**
 * The number of an IPv4 literal, host byte order; `undefined` if the text is
 * not one. Four decimal parts and nothing else: no octal, no short forms.
 */
export function parseIPv4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (parts === null) return undefined;
  let address = 0;
  for (let index = 1; index <= 4; index++) {
    const part = parts[index]!;
    const value = Number(part);
    if (value > 255 || (part.length > 1 && part.startsWith("0"))) {
      return undefined;
    }
    address = address * 256 + value;
  }
  return address;
}

/** The text of an IPv4 address. */
export function formatIPv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${
    (address >>> 8) & 255
  }.${address & 255}`;
}

/** `10.0.0.2:888`, for messages. */
export function formatEndpoint({ hostname, port }: Endpoint): string {
  return `${hostname}:${port}`;
}
