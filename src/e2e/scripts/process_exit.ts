// Attaches to a socket and leaves things open; whether the process ends then is
// what the caller wants to know. The second parameter says what is left open.
import process from "node:process";
import { attach } from "../../../mod.ts";

// What nobody can reach any more would be closed by the garbage collector.
const kept: unknown[] = [];
Object.assign(globalThis, { kept });

const [socket, what, hostname] = process.argv.slice(2);
const channel = await attach({ socket: socket! });
if (what === "listener") {
  kept.push(await channel.listen({ port: 777 }));
} else if (what === "connection" || what === "reset") {
  const connection = await channel.connect({ hostname: hostname!, port: 888 });
  kept.push(connection);
  if (what === "reset") connection.reset();
}
console.log("left");
