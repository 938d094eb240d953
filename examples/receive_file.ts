/**
 * Receives one file from examples/send_file.ts on another host.
 *
 *     deno run --allow-ffi --allow-read --allow-write examples/receive_file.ts
 *     bun examples/receive_file.ts
 *
 * Options: --folder (where to put it, the current one by default), --port (889
 * by default), --socket (the control socket of another sidecar than this
 * machine's).
 *
 * Its name and size come first, as JSON; the answer is the SHA-256 of what
 * arrived, in hexadecimal.
 */
import { attach } from "machnet";
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import { format } from "#std/fmt/bytes";

const { folder, port, socket } = parseArgs(process.argv.slice(2), {
  string: ["folder", "port", "socket"],
});

await using channel = await attach({ socket });
await using listener = await channel.listen({ port: Number(port ?? 889) });
console.log(`waiting for a file on ${listener.hostname}:${listener.port}`);
await using connection = await listener.accept();

const { name, size } = await readHeader();
const path = join(folder ?? ".", basename(name));
await using file = await open(path, "wx"); // never over a file that is there
const hash = createHash("sha256");
let received = 0;
while (received < size) {
  using piece = await connection.receive();
  hash.update(piece.data);
  for (let at = 0; at < piece.length;) {
    const { bytesWritten } = await file.write(piece.data, at);
    at += bytesWritten;
  }
  received += piece.length;
}
await connection.send(new TextEncoder().encode(hash.digest("hex")));
console.log(`received ${path}, ${format(received)}`);

async function readHeader(): Promise<{ name: string; size: number }> {
  using message = await connection.receive();
  const header: unknown = JSON.parse(new TextDecoder().decode(message.data));
  if (
    typeof header === "object" && header !== null &&
    "name" in header && typeof header.name === "string" &&
    "size" in header && Number.isSafeInteger(header.size)
  ) return { name: header.name, size: header.size as number };
  throw new Error("The peer sent something else than a file");
}
