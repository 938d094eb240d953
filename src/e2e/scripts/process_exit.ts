// Attaches to a socket and leaves things open; whether the process ends then is
// what the caller wants to know. The second parameter says what is left open,
// "unref-" before it that the process is not to live for that, and "ref-" that
// it is after all.
import process from "node:process";
import {
  attach,
  type Channel,
  type Connection,
  type Message,
} from "../../../mod.ts";

// What nobody can reach any more would be closed by the garbage collector.
const kept: unknown[] = [];
Object.assign(globalThis, { kept });

const [socket, task, hostname] = process.argv.slice(2);
const [what] = task!.split("-").slice(-1);
const channel = await attach({ socket: socket! });
const left = await open(channel);
kept.push(channel, left);
if (task!.includes("ref-")) left?.unref();
if (task!.startsWith("ref-")) left?.ref();
console.log("left");

async function open(channel: Channel) {
  if (what === "channel") return undefined;
  if (what === "listener") return await channel.listen({ port: 777 });
  const connection = await channel.connect({
    hostname: hostname!,
    port: 888,
    timeout: 60_000,
  });
  if (what === "reset") connection.reset();
  if (what === "reader") read(connection);
  if (what === "answered") (await ask(connection, 3_600_000)).release();
  if (what === "asker") {
    ask(connection, 500).catch(({ code }) => console.log(code));
  }
  return connection;
}

function ask(connection: Connection, timeout: number): Promise<Message> {
  return connection.request(new Uint8Array(8), { timeout });
}

async function read(connection: Connection): Promise<void> {
  for await (const message of connection) message.release();
}
