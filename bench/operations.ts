/**
 * What single operations cost this script, in nanoseconds and in bytes of the
 * heap, under the runtime that runs it. What takes two hosts uses a lab with a
 * direct wire, an echo server in a process of its own on the other one.
 *
 *     deno run --allow-all bench/operations.ts
 *     bun bench/operations.ts
 *
 * `--help` lists the options.
 */
import { type Channel, type Connection, Lab } from "machnet";
import { do_not_optimize, measure } from "mitata";
import {
  BYTES_MEANING,
  BYTES_OPTION,
  bytesAllocated,
  bytesInTurn,
  type Loop,
} from "./allocation.ts";
import { readOptions } from "./options.ts";
import { RUNTIME, RUNTIME_NAMES, Script } from "./processes.ts";
import { type Column, heading, messageSize, row } from "./table.ts";

/** Messages under way at a time: enough to hide the way to the other host. */
const WINDOW = 64;

const COLUMNS: readonly Column[] = [
  { title: "operation", width: 52, align: "left" },
  { title: "ns", width: 8 },
  { title: "bytes allocated", width: 16 },
];

/** What is measured. */
interface Operation {
  readonly name: string;
  /** How often one call does it. */
  readonly times: number;
  readonly call: () => unknown;
}

function operations(channel: Channel, connection: Connection): Operation[] {
  const small = messageSize(64);
  return [
    {
      name: `borrow room for ${small}, give it back`,
      times: 1,
      call: () => connection.tryAllocate(64)!.release(),
    },
    {
      name: `borrow room for ${small}, view it, give it back`,
      times: 1,
      call: () => {
        const room = connection.tryAllocate(64)!;
        do_not_optimize(room.data);
        room.release(); // `using` would cost more than all this in Deno
      },
    },
    {
      name: `send ${small} written in place, ${WINDOW} under way, and receive`,
      times: WINDOW,
      call: () => exchangeInPlace(connection),
    },
    ...[64, 1024, 32 * 1024].map((size) => {
      const bytes = new Uint8Array(size);
      const name = `send ${messageSize(size)} and receive its echo`;
      const call = (): Promise<void> => exchange(connection, bytes);
      return { name: `${name}, ${WINDOW} under way`, times: WINDOW, call };
    }),
    {
      name: `request with ${small} and its reply, ${WINDOW} under way`,
      times: WINDOW,
      call: () => ask(connection, new Uint8Array(64)),
    },
    {
      name: "connect and close",
      times: 1,
      call: async () => {
        const { hostname, port } = connection.remote;
        const to = { hostname, port, timeout: 60_000 };
        await (await channel.connect(to)).close();
      },
    },
  ];
}

/** A window of messages out, and as many answers in. */
async function exchange(
  connection: Connection,
  bytes: Uint8Array,
): Promise<void> {
  for (let sent = 0; sent < WINDOW; sent++) await connection.send(bytes);
  await receive(connection);
}

async function exchangeInPlace(connection: Connection): Promise<void> {
  for (let sent = 0; sent < WINDOW; sent++) {
    const room = await connection.allocate(64);
    room.data[0] = sent;
    await room.send();
  }
  await receive(connection);
}

async function receive(connection: Connection): Promise<void> {
  for (let received = 0; received < WINDOW; received++) {
    const message = await connection.receive();
    do_not_optimize(message.data);
    message.release();
  }
}

/** A window of requests, and their replies. */
async function ask(connection: Connection, bytes: Uint8Array): Promise<void> {
  const asked = Array.from({ length: WINDOW }, () => connection.request(bytes));
  for (const reply of await Promise.all(asked)) {
    do_not_optimize(reply.data);
    reply.release();
  }
}

if (import.meta.main) {
  const options = readOptions({
    purpose: "Measures the operations of the API, between two scripts.",
    text: { seconds: "of measuring each; 1" },
    flags: { [BYTES_OPTION]: BYTES_MEANING },
  });
  const nanoseconds = 1e9 * Number(options.seconds ?? 1);
  await using lab = await Lab.start({ hosts: 2, wire: "direct" });
  const [here, there] = lab.hosts;
  await using echo = Script.start({
    file: "examples/echo_server.ts",
    parameters: ["--socket", there!.socket, "--port", "0"],
  });
  const [, port] = await echo.line(/listening on .*:(\d+)/);
  await using channel = await here!.attach();
  await using connection = await channel.connect({
    hostname: there!.address,
    port: Number(port),
  });
  const all = operations(channel, connection);
  const loops = Object.fromEntries(
    all.map(({ name, times, call }): [string, Loop] => [name, async (count) => {
      for (let done = 0; done < count; done += times) await call();
    }]),
  );
  if (options[BYTES_OPTION]) {
    console.log(JSON.stringify(await bytesInTurn(loops)));
  } else {
    const allocated = bytesAllocated();
    console.log(
      `Operations in ${RUNTIME_NAMES[RUNTIME]}, the median of each\n`,
    );
    console.log(heading(COLUMNS));
    for (const { name, times, call } of all) {
      // mitata warms up by itself before it measures.
      const { p50 } = await measure(call, { min_cpu_time: nanoseconds });
      console.log(row(COLUMNS, [
        name,
        `${Math.round(p50 / times)}`,
        allocated[name]!.toFixed(0),
      ]));
    }
  }
}
