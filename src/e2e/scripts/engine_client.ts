// Runs an engine of its own at the other end of a memif wire, says hello to
// port 888 of 10.91.0.1, and prints the answer.
import process from "node:process";
import { Engine } from "../../../mod.ts";

const directory = process.argv[2]!;
await using engine = await Engine.start({
  device: `memif:${directory}/wire.memif`,
  ip: "10.91.0.2/24",
  socket: `${directory}/client.sock`,
});
await using channel = await engine.attach();
await using connection = await channel.connect({
  hostname: "10.91.0.1",
  port: 888,
  timeout: 60_000,
});
await connection.send(new TextEncoder().encode("hello"));
using message = await connection.receive();
console.log(new TextDecoder().decode(message.data));
