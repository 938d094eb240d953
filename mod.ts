/**
 * Kernel-bypass messaging for Deno and Bun: connections that carry messages,
 * over a sidecar process that drives the network card through DPDK.
 *
 * @example
 * ```ts
 * import { attach, type Connection } from "machnet";
 *
 * await using channel = await attach(); // this machine's sidecar
 * await using listener = await channel.listen({ port: 888 });
 * for await (const connection of listener) echo(connection).catch(console.error);
 *
 * async function echo(connection: Connection): Promise<void> {
 *   await using _ = connection;
 *   for await (const message of connection) {
 *     await connection.send(message.data); // a view of shared memory
 *   }
 * }
 * ```
 *
 * @module
 */
export { type ErrorCode, MachnetError } from "./ffi/error.ts";
export type { Endpoint } from "./src/address.ts";
export { attach, type AttachOptions } from "./src/attach.ts";
export type { Channel, ConnectOptions, ListenOptions } from "./src/channel.ts";
export type {
  CloseOptions,
  Connection,
  WaitOptions,
} from "./src/connection.ts";
export type { Listener } from "./src/listener.ts";
export type { Message } from "./src/message.ts";
export type { OutgoingMessage } from "./src/outgoing.ts";
export {
  type IncomingRequest,
  RequestError,
  type RequestHandler,
  type RequestOptions,
  type ServeOptions,
} from "./src/request.ts";
export {
  type CallContext,
  type Codec,
  type Method,
  type Methods,
  type Received,
  type Sent,
  Service,
  service,
  type ServiceClient,
  type ServiceHandlers,
  type ServiceOptions,
  type ValidateOptions,
} from "./src/service.ts";
export type {
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./src/standard_schema.ts";
export { Engine, type EngineOptions } from "./src/engine.ts";
export type { VnicQueueStats, VnicStats } from "./src/fabric.ts";
export { Lab, type LabHost, type LabHostStats } from "./src/lab.ts";
export type { LabHash, LabOptions } from "./src/lab_options.ts";
export type { ConnectionPath, PathMethod, PathPorts } from "./src/path.ts";
export type { Stats } from "./src/stats.ts";
