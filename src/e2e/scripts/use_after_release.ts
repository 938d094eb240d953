// Attaches to a socket, connects to port 888 of an address, gets its message
// back, and prints what comes of looking at it after its release.
import process from "node:process";
import { attach } from "../../../mod.ts";

const [socket, hostname] = process.argv.slice(2);
await using channel = await attach({ socket: socket! });
await using connection = await channel.connect({
  hostname: hostname!,
  port: 888,
  timeout: 60_000,
});
await connection.send(new TextEncoder().encode("hello"));
const message = await connection.receive();
const view = message.data;
message.release();
try {
  console.log(`${view.length} bytes`);
} catch (error) {
  console.log((error as Error).message);
}
