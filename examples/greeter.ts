/**
 * Answers whoever says something.
 *
 *     deno run --allow-ffi examples/greeter.ts
 *     bun examples/greeter.ts
 *
 * Options: --port (888 by default), --socket (the control socket of another
 * sidecar than this machine's). Ctrl-C ends it.
 */
import { attach, type Connection } from "machnet";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";

const { port, socket } = parseArgs(process.argv.slice(2), {
  string: ["port", "socket"],
});
const { bun, deno } = process.versions;
const name = bun ? `Bun ${bun}` : `Deno ${deno}`;
const ended = new AbortController();
process.once("SIGINT", () => ended.abort());

await using channel = await attach({ socket });
await using listener = await channel.listen({
  port: Number(port ?? 888),
  signal: ended.signal,
});
console.log(`listening on ${listener.hostname}:${listener.port}`);
for await (const connection of listener) {
  greet(connection).catch((error: unknown) => console.error(`${error}`));
}

async function greet(connection: Connection): Promise<void> {
  await using _ = connection;
  for await (const message of connection) {
    const text = new TextDecoder().decode(message.data);
    console.log(`got "${text}" from ${connection.remote.hostname}`);
    const answer = `${name} heard "${text}"`;
    await connection.send(new TextEncoder().encode(answer));
  }
}
