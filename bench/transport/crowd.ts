/**
 * An application with many connections from one host to another that do
 * nothing, until Ctrl-C. bench/transport/idle.ts starts it.
 *
 *     deno run --allow-ffi bench/transport/crowd.ts SERVER CLIENT COUNT
 *
 * SERVER and CLIENT are control sockets.
 */
import { attach, type Channel } from "machnet";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";

const CHANNELS = 4;
/** Being opened at a time, by a channel. */
const OPENING = 16;

const { _: [serverSocket, clientSocket, total] } = parseArgs(
  process.argv.slice(2),
);
const count = Number(total);
const stop = new Promise((resolve) => process.once("SIGINT", resolve));
const server = await attach({ socket: `${serverSocket}` });
const listener = await server.listen({ port: 0, backlog: 4096 });
const held: unknown[] = [server];
const accepting = (async (): Promise<void> => {
  for (let i = 0; i < count; i++) held.push(await listener.accept());
})();
const { hostname, port } = listener;
let left = 0;
for (let i = 0; i < CHANNELS; i++) {
  const channel = await attach({ socket: `${clientSocket}` });
  held.push(channel);
  left = Math.ceil(count * (i + 1) / CHANNELS) -
    Math.ceil(count * i / CHANNELS);
  await Promise.all(Array.from({ length: OPENING }, () => open(channel)));
}
await accepting;
console.log("open");
await stop;
// One by one is not worth the time.
process.exit(held.length > 0 ? 0 : 1);

async function open(channel: Channel): Promise<void> {
  while (left-- > 0) {
    held.push(await channel.connect({ hostname, port, timeout: 30_000 }));
  }
}
