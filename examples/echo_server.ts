/**
 * Sends every message back to where it came from, requests as replies.
 *
 *     deno run --allow-ffi examples/echo_server.ts
 *     bun examples/echo_server.ts
 *
 * Options: --port (888 by default), --socket (the control socket of another
 * sidecar than this machine's). Ctrl-C ends it, connections closed in order.
 */
import { attach, type Connection } from "machnet";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";

const { port, socket } = parseArgs(process.argv.slice(2), {
  string: ["port", "socket"],
});
const ended = new AbortController();
process.once("SIGINT", () => ended.abort());

await using channel = await attach({ socket });
await using listener = await channel.listen({
  port: Number(port ?? 888),
  signal: ended.signal,
});
console.log(`listening on ${listener.hostname}:${listener.port}`);
for await (const connection of listener) {
  echo(connection).catch((error: unknown) => console.error(`${error}`));
}

async function echo(connection: Connection): Promise<void> {
  await using _ = connection;
  connection.serve((request) => request.data);
  for await (const message of connection) {
    // A view of shared memory, valid until the loop takes the next message.
    await connection.send(message.data);
  }
}
