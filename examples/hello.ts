/**
 * Connects to examples/greeter.ts or examples/echo_server.ts on another host,
 * says hello, and prints the answer.
 *
 *     deno run --allow-ffi examples/hello.ts 10.0.0.2
 *     bun examples/hello.ts 10.0.0.2
 *
 * Options: --port (888 by default), --socket (the control socket of another
 * sidecar than this machine's).
 */
import { attach } from "machnet";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";

const { port, socket, _: [hostname] } = parseArgs(process.argv.slice(2), {
  string: ["port", "socket"],
});
if (hostname === undefined) {
  console.error("Usage: hello.ts HOST [--port PORT] [--socket PATH]");
  process.exit(2);
}
const { bun, deno } = process.versions;
const name = bun ? `Bun ${bun}` : `Deno ${deno}`;

await using channel = await attach({ socket });
await using connection = await channel.connect({
  hostname: `${hostname}`,
  port: Number(port ?? 888),
});
await connection.send(new TextEncoder().encode(`hello from ${name}`));
using answer = await connection.receive({ signal: AbortSignal.timeout(5000) });
console.log(new TextDecoder().decode(answer.data));
