// A message there and back between two hosts, in a folder where nothing is but
// the package. Then it waits for its standard input to end.
import { Lab } from "machnet";
import process from "node:process";

await using lab = await Lab.start({ hosts: 2 });
await using server = await lab.hosts[0]!.attach();
await using client = await lab.hosts[1]!.attach();
await using listener = await server.listen({ port: 888 });
const [there, here] = await Promise.all([
  client.connect({ hostname: listener.hostname, port: listener.port }),
  listener.accept(),
]);
await there.send(new TextEncoder().encode("there and back"));
using message = await here.receive();
await here.send(message.data);
using answer = await there.receive();
const text: string = new TextDecoder().decode(answer.data);
console.log(text);
console.log(lab.hosts[0]!.socket);
for await (const _ of process.stdin);
await Promise.all([there.close(), here.close()]);
