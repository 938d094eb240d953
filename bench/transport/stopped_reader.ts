/**
 * An application whose reader stops: sends 1 kB messages from one host to
 * another until nothing fits any more, then waits. Ctrl-C lets the reader go
 * on; it ends when all has come. bench/transport/readers.ts starts it.
 *
 *     deno run --allow-ffi bench/transport/stopped_reader.ts SERVER CLIENT
 *
 * SERVER and CLIENT are control sockets.
 */
import { attach } from "machnet";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import { connectPair, sleep, Stream } from "../load.ts";

const SIZE = 1024;
/** Without a new message for so long it has stopped. */
const QUIET_MS = 100;

const { _: [serverSocket, clientSocket] } = parseArgs(process.argv.slice(2));
const resume = new Promise((resolve) => process.once("SIGINT", resolve));

await using server = await attach({ socket: `${serverSocket}` });
await using client = await attach({ socket: `${clientSocket}` });
const stream = new Stream(await connectPair(client, server), SIZE);
stream.pause();
for (let before = -1; stream.sent !== before;) {
  before = stream.sent;
  await sleep(QUIET_MS);
}
console.log("stopped");
await resume;
stream.resume();
await stream.finish();
console.log(`received ${stream.received}`);
