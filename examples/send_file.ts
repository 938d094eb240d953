/**
 * Sends a file to examples/receive_file.ts on another host, and checks that the
 * same bytes arrived there, by their SHA-256.
 *
 *     deno run --allow-ffi --allow-read examples/send_file.ts FILE 10.0.0.2
 *     bun examples/send_file.ts FILE 10.0.0.2
 *
 * Options: --port (889 by default), --socket (the control socket of another
 * sidecar than this machine's).
 *
 * On the connection: the file's name and size as JSON, its contents in pieces,
 * and back the SHA-256 of what arrived, in hexadecimal.
 */
import { attach } from "machnet";
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import { format } from "#std/fmt/bytes";

const PIECE_BYTES = 1024 * 1024;

const { port, socket, _: [path, hostname] } = parseArgs(process.argv.slice(2), {
  string: ["port", "socket"],
});
if (path === undefined || hostname === undefined) {
  console.error("Usage: send_file.ts FILE HOST [--port PORT] [--socket PATH]");
  process.exit(2);
}

await using file = await open(`${path}`);
const { size } = await file.stat();
await using channel = await attach({ socket });
await using connection = await channel.connect({
  hostname: `${hostname}`,
  port: Number(port ?? 889),
});

const header = JSON.stringify({ name: basename(`${path}`), size });
await connection.send(new TextEncoder().encode(header));

const hash = createHash("sha256");
const start = performance.now();
let sent = 0;
let tenths = 0;
while (sent < size) {
  // The file is read right into the memory that it is sent from.
  using piece = await connection.allocate(Math.min(PIECE_BYTES, size - sent));
  const { bytesRead } = await file.read(piece.data, 0, piece.length);
  if (bytesRead === 0) throw new Error(`${path} became shorter meanwhile`);
  hash.update(piece.data.subarray(0, bytesRead));
  await piece.send(bytesRead);
  sent += bytesRead;
  if (Math.floor(10 * sent / size) === tenths) continue;
  tenths = Math.floor(10 * sent / size);
  console.log(`${tenths}0 %: ${format(sent)} of ${format(size)}`);
}

using answer = await connection.receive({ signal: AbortSignal.timeout(5000) });
const seconds = (performance.now() - start) / 1000;
const arrived = new TextDecoder().decode(answer.data);
const expected = hash.digest("hex");
console.log(`sent ${format(size)} in ${seconds.toFixed(2)} s`);
console.log(`SHA-256 here  ${expected}`);
console.log(`SHA-256 there ${arrived}`);
if (arrived !== expected) {
  console.error("Something else arrived than what was sent");
  process.exitCode = 1;
}
