// Attaches to a socket, connects to port 888 of an address, and says hello.
// Uses nothing that would need a permission beyond --allow-ffi.
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
using message = await connection.receive();
console.log(new TextDecoder().decode(message.data));
