// A worker that attaches to a socket, connects to port 888 of an address, and
// holds a message. It tells so, and may send the memory of the message along.
import { attach, type Channel, type Message } from "../../../mod.ts";

interface Task {
  readonly socket: string;
  readonly hostname: string;
  readonly give: boolean;
}

declare const self: {
  onmessage: (event: { data: Task }) => void;
  postMessage(value: unknown, transferred?: ArrayBuffer[]): void;
};

const held: (Channel | Message)[] = [];

self.onmessage = async ({ data: { socket, hostname, give } }) => {
  const channel = await attach({ socket });
  const connection = await channel.connect({
    hostname,
    port: 888,
    timeout: 60_000,
  });
  await connection.send(new TextEncoder().encode("from a worker"));
  const message = await connection.receive();
  held.push(channel, message);
  if (!give) {
    self.postMessage(undefined);
    return;
  }
  const { buffer, byteOffset: offset, length } = message.data;
  self.postMessage({ buffer, offset, length }, [buffer]);
};
