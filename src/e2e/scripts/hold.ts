// Attaches to a socket, listens on port 999, holds the messages of all who
// connect, and never ends by itself.
import process from "node:process";
import { attach, type Message } from "../../../mod.ts";

const channel = await attach({ socket: process.argv[2]! });
const listener = await channel.listen({ port: 999 });
console.log("listening");
const held: Message[] = [];
for await (const connection of listener) {
  (async () => {
    for (;;) held.push(await connection.receive());
  })().catch((error) => console.log(error.code));
}
