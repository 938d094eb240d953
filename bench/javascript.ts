/**
 * What JavaScript itself costs per message: all that happens in the script
 * between one message and the next, calls into C included, with nothing behind
 * them. Receiving and sending together, a window of 32.
 *
 *     deno run --allow-all bench/javascript.ts
 *     bun bench/javascript.ts
 *
 * The skeleton to compare with does nothing but what any such loop must: take
 * from an async iterator, make a view, await a function that copies 64 B.
 *
 * Options: --rounds (of measuring, the median of which counts, 9 by default).
 */
import { type Library, library } from "../ffi/library.ts";
import { ChannelHandle } from "../src/channel.ts";
import { Core } from "../src/core.ts";
import type { Connection } from "machnet";
import { execFileSync } from "node:child_process";
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import { RUNTIME_NAMES } from "./processes.ts";
import { verdict } from "./figure.ts";
import { type Column, heading, row } from "./table.ts";

const SIZE = 64;
const WINDOW = 32;
const MESSAGES = 200_000;
const MESSAGES_BETWEEN_COLLECTIONS = 2000;
const MEMORY = 1 << 20;
const SKELETON = "skeleton";

const COLUMNS: readonly Column[] = [
  { title: "", width: 24, align: "left" },
  { title: "ns", width: 6 },
  { title: "of skeleton", width: 12 },
  { title: "bytes allocated", width: 16 },
  { title: "", width: 20, align: "left" },
];

/** Of the skeleton's time. */
const MOST: Readonly<Record<string, number>> = {
  "for await, send()": 2.5,
  "receive(), send()": 2.5,
  "batches(), sendMany()": 1,
};

/** A library whose engine answers each window at once with another one. */
function endless(native: Library): Library {
  const { calls } = native;
  // No channel has this number, so that C returns at once.
  const nobody = 0;
  let awaited = 0;
  let filled = false;
  let token = 0;
  return {
    debugging: false,
    map: () => new ArrayBuffer(MEMORY),
    watch: () => ({ keepAlive: () => {}, close: () => {} }),
    calls: {
      ...calls,
      machnet_poll(_channel, events, capacity, spinUs) {
        calls.machnet_poll(nobody, events, capacity, spinUs);
        if (token !== 0) {
          fill(events!, 0, [2, 1, 0, 0, token]);
          token = 0;
          return 1;
        }
        if (awaited > 0) return 0;
        if (!filled) {
          for (let at = 0; at < WINDOW; at++) {
            fill(events!, at, [4, 1, 64 * (at + 1), SIZE, 0]);
          }
          filled = true;
        }
        awaited = WINDOW;
        return WINDOW;
      },
      machnet_connect(_channel, asked) {
        token = asked;
        return 0;
      },
      machnet_send(_channel, connection, bytes, length) {
        calls.machnet_send(nobody, connection, bytes, length);
        awaited--;
        return 0;
      },
      machnet_release_many(_channel, offsets, count) {
        calls.machnet_release_many(nobody, offsets, count);
        return 0;
      },
      machnet_wait: () => 1,
      machnet_channel_close: () => 0,
    },
  };
}

function fill(events: Uint8Array, at: number, words: number[]): void {
  new Uint32Array(events.buffer, 32 * at, words.length).set(words);
}

type Loop = (messages: number) => Promise<void>;

function skeleton(): Loop {
  const memory = new Uint8Array(MEMORY);
  const target = new Uint8Array(SIZE);
  // deno-lint-ignore require-await -- what it costs to call it is measured
  async function send(bytes: Uint8Array): Promise<void> {
    target.set(bytes);
  }
  return async (messages) => {
    let left = messages;
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          Promise.resolve(
            left-- > 0
              ? { done: false, value: 64 * (left % WINDOW) }
              : { done: true, value: undefined },
          ),
      }),
    };
    for await (const offset of source) {
      await send(memory.subarray(offset, offset + SIZE));
    }
  };
}

function loops(connection: Connection): Record<string, Loop> {
  return {
    "for await, send()": async (messages) => {
      let left = messages;
      for await (const message of connection) {
        await connection.send(message.data);
        if (--left === 0) break;
      }
    },
    "receive(), send()": async (messages) => {
      for (let left = messages; left > 0; left--) {
        const message = await connection.receive();
        await connection.send(message.data);
        message.release();
      }
    },
    "batches(), sendMany()": async (messages) => {
      let left = messages;
      for await (const batch of connection.batches()) {
        await connection.sendMany(batch);
        left -= batch.length;
        if (left <= 0) break;
      }
    },
  };
}

async function nanoseconds(loop: Loop): Promise<number> {
  const started = performance.now();
  await loop(MESSAGES);
  return (performance.now() - started) * 1e6 / MESSAGES;
}

/** Few enough for the garbage collector to stay away, mostly. */
async function bytes(loop: Loop): Promise<number> {
  const before = process.memoryUsage().heapUsed;
  await loop(MESSAGES_BETWEEN_COLLECTIONS);
  const allocated = process.memoryUsage().heapUsed - before;
  return allocated / MESSAGES_BETWEEN_COLLECTIONS;
}

/**
 * Bun counts memory by the block, and reuses what is free in one: it tells the
 * truth only in a process without garbage collection.
 */
function bytesWithoutCollector(): Record<string, number> {
  const output = execFileSync(process.execPath, [process.argv[1]!, "--bytes"], {
    env: { ...process.env, BUN_JSC_useGC: "false" },
    encoding: "utf8",
  });
  return JSON.parse(output);
}

/** The median of several, each loop in turn. */
async function measure(
  loops: Record<string, Loop>,
  rounds: number,
  one: (loop: Loop) => Promise<number>,
): Promise<Record<string, number>> {
  const all = Object.entries(loops).map(([name, loop]) => ({
    name,
    loop,
    values: [] as number[],
  }));
  for (let round = 0; round < rounds; round++) {
    for (const { loop, values } of all) values.push(await one(loop));
  }
  return Object.fromEntries(all.map(({ name, values }) => {
    values.sort((one, other) => one - other);
    return [name, values[values.length >> 1]!];
  }));
}

if (import.meta.main) {
  const options = parseArgs(process.argv.slice(2), {
    boolean: ["bytes"],
    string: ["rounds"],
  });
  const rounds = Number(options.rounds ?? 9);
  const native = endless(await library());
  const info = {
    base: 0n,
    bytes: MEMORY,
    address: 0x0a00_0001,
    engine: 0,
    arenaBytes: MEMORY,
  };
  const channel = new ChannelHandle(new Core(native, 1, info, 0));
  const connection = await channel.connect({
    hostname: "10.0.0.2",
    port: 1,
  });
  const all = { [SKELETON]: skeleton(), ...loops(connection) };
  if (options.bytes) {
    console.log(JSON.stringify(await measure(all, rounds, bytes)));
    process.exit();
  }
  const times = await measure(all, rounds, nanoseconds);
  const allocations = process.versions["bun"]
    ? bytesWithoutCollector()
    : await measure(all, 4 * rounds, bytes);
  const runtime = process.versions["bun"] ? "bun" : "deno";
  console.log(
    `JavaScript per message of 64 B, received and sent, window ${WINDOW}, ` +
      `in ${RUNTIME_NAMES[runtime]}\n`,
  );
  console.log(heading(COLUMNS));
  for (const [name, time] of Object.entries(times)) {
    const value = time / times[SKELETON]!;
    const most = MOST[name];
    console.log(row(COLUMNS, [
      name,
      time.toFixed(0),
      value.toFixed(2),
      Math.max(0, allocations[name]!).toFixed(0),
      most === undefined ? "" : verdict({ name, value, target: { most } }),
    ]));
  }
  process.exit(); // nobody here answers who closes
}
