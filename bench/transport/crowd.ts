/**
 * An application with many connections from one host to another that do
 * nothing: first with some of them, with all after Ctrl-C, and until the next.
 * bench/transport/idle.ts starts it.
 *
 *     deno run --allow-ffi bench/transport/crowd.ts SERVER CLIENT COUNT FIRST
 *
 * SERVER and CLIENT are control sockets.
 */
import { attach, type Channel } from "machnet";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";

const CHANNELS = 4;
/** Being opened at a time, by a channel. */
const OPENING = 16;

const { _: [serverSocket, clientSocket, all, first] } = parseArgs(
  process.argv.slice(2),
);
const server = await attach({ socket: `${serverSocket}` });
const listener = await server.listen({ port: 0, backlog: 4096 });
const { hostname, port } = listener;
const held: unknown[] = [];
const channels: Channel[] = [];
for (let i = 0; i < CHANNELS; i++) {
  channels.push(await attach({ socket: `${clientSocket}` }));
}
await openAll(Number(first));
await interrupted("begun");
await openAll(Number(all) - Number(first));
await interrupted("open");
// One by one is not worth the time.
process.exit(held.length > 0 ? 0 : 1);

/** Say how far it is, and wait for Ctrl-C. */
function interrupted(state: string): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve);
    console.log(state);
  });
}

async function openAll(count: number): Promise<void> {
  let left = count;
  const open = async (channel: Channel): Promise<void> => {
    while (left-- > 0) {
      held.push(await channel.connect({ hostname, port, timeout: 30_000 }));
    }
  };
  const accept = async (): Promise<void> => {
    for (let i = 0; i < count; i++) held.push(await listener.accept());
  };
  await Promise.all([
    accept(),
    ...channels.flatMap((each) =>
      Array.from({ length: OPENING }, () => open(each))
    ),
  ]);
}
