/**
 * What JavaScript itself costs per message: all that happens in the script
 * between one message and the next, calls into C included, with nothing behind
 * them. Receiving and sending together, or a request and its reply at one end or
 * the other, a window of 32; in nanoseconds, and in bytes of the heap.
 *
 *     deno run --allow-all bench/javascript.ts
 *     bun bench/javascript.ts
 *
 * The skeleton to compare with does nothing but what any such loop must: take
 * from an async iterator, make a view, await a function that copies 64 B.
 *
 * `--help` lists the options.
 */
import { type Library, library } from "../ffi/library.ts";
import type { ClientCalls } from "../ffi/symbols.ts";
import { ChannelHandle } from "../src/channel.ts";
import { Core } from "../src/core.ts";
import { REQUESTS_MAX } from "../src/request.ts";
import type { Connection, RequestOptions } from "machnet";
import { do_not_optimize } from "mitata";
import process from "node:process";
import {
  BYTES_MEANING,
  BYTES_OPTION,
  bytesAllocated,
  bytesInTurn,
  type Loop,
  mediansInTurn,
} from "./allocation.ts";
import { RUNTIME, RUNTIME_NAMES } from "./processes.ts";
import { verdict } from "./figure.ts";
import { readOptions } from "./options.ts";
import { type Column, heading, row } from "./table.ts";

const SIZE = 64;
const WINDOW = 32;
const MESSAGES = 204_800;
const MEMORY = 1 << 20;
const BLOCK = 256; // the least that a message takes in a channel
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

// Words of events: see struct machnet_event.
const CONNECTED = 2;
const MESSAGE = 4;
const REQUEST = 7;
const REPLY = 8;

// enum machnet_message_kind.
const KIND_REQUEST = 1;

// No channel has this number, so that C returns at once.
const NOBODY = 0;

/**
 * An engine at whose other end everything is answered at once, a window at a
 * time: the messages that were sent by as many, requests by replies, and replies,
 * if it is asked for that, by requests.
 */
class Mirror {
  /** Of requests that are still to come. */
  requests = 0;
  #sent = WINDOW;
  readonly #asked: number[] = [];
  #answered = WINDOW;
  #generation = 0;
  readonly #tokens: number[] = [];
  readonly #calls: ClientCalls;

  constructor(calls: ClientCalls) {
    this.#calls = calls;
  }

  /** What scripts see of it. */
  get library(): Library {
    const calls = this.#calls;
    return {
      debugging: false,
      map: () => new ArrayBuffer(MEMORY),
      watch: () => ({ keepAlive: () => {}, close: () => {} }),
      calls: {
        ...calls,
        machnet_poll: (_channel, events, capacity, spinUs) => {
          calls.machnet_poll(NOBODY, events, capacity, spinUs);
          return this.#poll(events!);
        },
        machnet_connect: (_channel, token) => {
          this.#tokens.push(token);
          return 0;
        },
        machnet_send: (_channel, connection, bytes, length) => {
          calls.machnet_send(NOBODY, connection, bytes, length);
          this.#sent++;
          return 0;
        },
        machnet_send_tagged: (_channel, id, bytes, length, kind, request) => {
          calls.machnet_send_tagged(NOBODY, id, bytes, length, kind, request);
          if (kind === KIND_REQUEST) this.#asked.push(request);
          else this.#answered++;
          return 0;
        },
        machnet_release_many: (_channel, offsets, count) => {
          calls.machnet_release_many(NOBODY, offsets, count);
          return 0;
        },
        machnet_wait: () => 1,
        machnet_channel_close: () => 0,
      },
    };
  }

  #poll(events: Uint8Array): number {
    const words = new Uint32Array(events.buffer);
    if (this.#tokens.length > 0) {
      fill(words, 0, CONNECTED, 0, this.#tokens.shift()!);
      return 1;
    }
    if (this.#asked.length > 0) {
      const asked = this.#asked.splice(0, WINDOW);
      asked.forEach((request, at) => fill(words, at, REPLY, SIZE, request));
      return asked.length;
    }
    if (this.requests > 0 && this.#answered >= WINDOW) {
      this.requests -= WINDOW;
      this.#answered = 0;
      this.#generation++;
      for (let slot = 0; slot < WINDOW; slot++) {
        const request = this.#generation * REQUESTS_MAX + slot;
        fill(words, slot, REQUEST, SIZE, request >>> 0);
      }
      return WINDOW;
    }
    if (this.#sent < WINDOW) return 0;
    this.#sent -= WINDOW;
    // What is there already costs a script nothing.
    if (words[0] !== MESSAGE) {
      for (let at = 0; at < WINDOW; at++) fill(words, at, MESSAGE, SIZE, 0);
    }
    return WINDOW;
  }
}

function fill(
  words: Uint32Array,
  at: number,
  kind: number,
  length: number,
  token: number,
): void {
  const first = 8 * at;
  words[first] = kind;
  words[first + 1] = 1; // the connection
  words[first + 2] = BLOCK * (at + 1); // offset
  words[first + 3] = length;
  words[first + 4] = token;
}

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

/** What each message takes at least, being zero copy. */
function view(): Loop {
  const memory = new Uint8Array(MEMORY);
  // deno-lint-ignore require-await -- like the others
  return async (messages) => {
    for (let left = messages; left > 0; left--) {
      const offset = 64 * (left % WINDOW);
      do_not_optimize(memory.subarray(offset, offset + SIZE));
    }
  };
}

function asking(
  connection: Connection,
  options: RequestOptions | undefined,
): Loop {
  const bytes = new Uint8Array(SIZE);
  return async (requests) => {
    const ask = async (): Promise<void> => {
      for (let left = requests / WINDOW; left > 0; left--) {
        const reply = await connection.request(bytes, options);
        do_not_optimize(reply.data);
        reply.release();
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, ask));
  };
}

function loops(
  connection: Connection,
  mirror: Mirror,
): Record<string, Loop> {
  let left = 0;
  let served = (): void => {};
  connection.serve(({ data }) => {
    if (--left === 0) served();
    return data;
  });
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
    "request()": asking(connection, undefined),
    "request({ timeout })": asking(connection, { timeout: 60_000 }),
    "serve()": (requests) =>
      new Promise((resolve) => {
        mirror.requests = left = requests;
        served = resolve;
      }),
  };
}

async function nanoseconds(loop: Loop): Promise<number> {
  const started = performance.now();
  await loop(MESSAGES);
  return (performance.now() - started) * 1e6 / MESSAGES;
}

if (import.meta.main) {
  const options = readOptions({
    purpose: "Measures the JavaScript of a message, without C and network.",
    text: { rounds: "how often each is measured, the medians count; 9" },
    flags: { [BYTES_OPTION]: BYTES_MEANING },
  });
  const rounds = Number(options.rounds ?? 9);
  const mirror = new Mirror((await library()).calls);
  const info = {
    base: 0n,
    bytes: MEMORY,
    address: 0x0a00_0001,
    engine: 0,
    arenaBytes: MEMORY,
  };
  const channel = new ChannelHandle(new Core(mirror.library, 1, info, 0));
  const connection = await channel.connect({
    hostname: "10.0.0.2",
    port: 1,
  });
  const all = {
    [SKELETON]: skeleton(),
    "subarray()": view(),
    ...loops(connection, mirror),
  };
  if (options[BYTES_OPTION]) {
    console.log(JSON.stringify(await bytesInTurn(all)));
    process.exit();
  }
  const times = await mediansInTurn(all, rounds, nanoseconds);
  const allocated = bytesAllocated();
  console.log(
    `JavaScript per message of 64 B, received and sent, or per request of as ` +
      `much and its reply, window ${WINDOW}, in ${RUNTIME_NAMES[RUNTIME]}\n`,
  );
  console.log(heading(COLUMNS));
  for (const [name, time] of Object.entries(times)) {
    const value = time / times[SKELETON]!;
    const most = MOST[name];
    console.log(row(COLUMNS, [
      name,
      time.toFixed(0),
      value.toFixed(2),
      allocated[name]!.toFixed(0),
      most === undefined ? "" : verdict({ name, value, target: { most } }),
    ]));
  }
  process.exit(); // nobody here answers who closes
}
