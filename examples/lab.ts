/**
 * Three hosts in one script, on a network that loses packets, delivers some
 * twice and some late: nothing of that reaches the messages.
 *
 *     deno run --allow-all examples/lab.ts
 *     bun examples/lab.ts
 *
 * Options: --loss (share of packets that get lost, 0.05 by default), --seed
 * (the same seed, the same misfortune).
 */
import { type Connection, Lab, type LabHost } from "machnet";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";

const MESSAGES = 1000;
const PORT = 888;

const { loss, seed } = parseArgs(process.argv.slice(2), {
  string: ["loss", "seed"],
});
await using lab = await Lab.start({
  hosts: 3,
  loss: Number(loss ?? 0.05),
  duplicate: 0.01,
  reorder: 0.01,
  seed: Number(seed ?? 7),
});
const [server, ...clients] = lab.hosts as [LabHost, LabHost, LabHost];

await using channel = await server.attach();
await using listener = await channel.listen({ port: PORT });
const sending = clients.map(send);
const receiving = clients.map(async () => receive(await listener.accept()));
await Promise.all([...sending, ...receiving]);

console.log("What the network did to the packets:");
for (const [index, vnic] of (await lab.stats()).entries()) {
  const { drop_loss, duplicated, reordered } = vnic;
  console.log(
    `  to ${lab.hosts[index]!.address}: ${drop_loss} lost, ` +
      `${duplicated} twice, ${reordered} late`,
  );
}

async function send(host: LabHost): Promise<void> {
  await using channel = await host.attach();
  await using connection = await channel.connect({
    hostname: server.address,
    port: PORT,
  });
  for (let number = 0; number < MESSAGES; number++) {
    await connection.send(new TextEncoder().encode(`message ${number}`));
  }
  // Leaving the block closes the connection, once all was delivered.
}

async function receive(connection: Connection): Promise<void> {
  await using _ = connection;
  let number = 0;
  for await (const message of connection) {
    const text = new TextDecoder().decode(message.data);
    if (text !== `message ${number++}`) {
      throw new Error(`Out of order: ${text}`);
    }
  }
  const { hostname } = connection.remote;
  console.log(`${number} messages from ${hostname}, each once and in order`);
}
