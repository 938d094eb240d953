// Runs an inline engine of its own at the other end of a memif wire, echoes what
// comes to port 888, and when it is told to be busy lets no other JavaScript run
// until a file exists.
import { existsSync } from "node:fs";
import process from "node:process";
import { Engine } from "../../../mod.ts";

const directory = process.argv[2]!;
await using engine = await Engine.start({
  device: `memif:${directory}/wire.memif`,
  ip: "10.91.0.2/24",
  socket: `${directory}/client.sock`,
  drive: "inline",
});
await using channel = await engine.attach();
await using listener = await channel.listen({ port: 888 });
console.log("listening");
const word = new Int32Array(new SharedArrayBuffer(4));
const decoder = new TextDecoder();
for await (const connection of listener) {
  for await (const message of connection) {
    await connection.send(message.data);
    if (decoder.decode(message.data) !== "be busy") continue;
    while (!existsSync(`${directory}/enough`)) Atomics.wait(word, 0, 0, 5);
  }
  await connection.close();
}
