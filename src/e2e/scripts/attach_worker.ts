// A worker that attaches to a socket and connects to port 888 of an address.
import { attach, type Channel, type Message } from "../../../mod.ts";

declare const self: {
  onmessage: (event: { data: { socket: string; hostname: string } }) => void;
  postMessage(value: unknown): void;
};

const held: (Channel | Message)[] = [];

self.onmessage = async ({ data: { socket, hostname } }) => {
  const channel = await attach({ socket });
  const connection = await channel.connect({ hostname, port: 888 });
  await connection.send(new TextEncoder().encode("from a worker"));
  held.push(channel, await connection.receive());
  self.postMessage("holding");
};
