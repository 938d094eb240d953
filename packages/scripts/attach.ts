// Attaches to the sidecar whose control socket is the argument.
import { attach } from "machnet";
import process from "node:process";

await using channel = await attach({ socket: process.argv[2] });
console.log(`attached to ${channel.address}`);
