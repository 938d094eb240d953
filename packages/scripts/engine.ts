// Runs a sidecar in its own process, on a wire in the folder that is the
// argument, and attaches to it.
import { Engine } from "machnet";
import process from "node:process";

const [, , folder] = process.argv;
await using engine = await Engine.start({
  device: `memif:${folder}/engine.memif,server`,
  ip: "10.0.0.1/24",
  socket: `${folder}/engine.sock`,
});
await using channel = await engine.attach();
console.log(`attached to ${channel.address}`);
