/**
 * Measures request-reply with bench/server.ts on any host, over machnet or over
 * what one would use instead, and prints a line of JSON: requests, percentiles
 * of the latency in nanoseconds.
 *
 *     deno run --allow-all --unstable-net bench/client.ts --hostname 10.0.0.2 --port 888
 *     bun bench/client.ts --transport tcp --hostname 10.0.0.2 --port 888
 *
 * `--help` lists the options.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { stayBusy } from "./busy.ts";
import {
  type End,
  loadEnd,
  parsePlace,
  type Place,
  PLACE_OPTIONS,
} from "./ends/end.ts";
import {
  type Load,
  type Measured,
  Measurement,
  WINDOW_MAX,
} from "./measure.ts";
import { readOptions } from "./options.ts";

function parseLoad(size: string, window: string, seconds: string): Load {
  const load = {
    size: Number(size),
    window: Number(window),
    seconds: Number(seconds),
  };
  if (!(Number.isInteger(load.size) && load.size > 0)) {
    throw new RangeError(`Cannot send ${size} bytes`);
  }
  if (!(load.window >= 1 && load.window <= WINDOW_MAX)) {
    throw new RangeError(`Cannot keep ${window} requests under way`);
  }
  if (!(load.seconds > 0)) {
    throw new RangeError(`Cannot measure for ${seconds} seconds`);
  }
  return load;
}

async function measure(end: End, place: Place, load: Load): Promise<Measured> {
  const measurement = new Measurement(load);
  const requester = await end.connect(place, load.size, measurement);
  try {
    return await measurement.run(requester);
  } finally {
    await requester.close();
  }
}

const options = readOptions({
  purpose: "Measures request-reply with bench/server.ts.",
  text: {
    ...PLACE_OPTIONS,
    size: "bytes of a message; 64",
    window: "requests under way at a time; 1",
    seconds: "of measuring; 2",
  },
  flags: {
    busy: "never sleep",
    stdin: 'measure what each line of stdin says, "SIZE WINDOW SECONDS"',
  },
});
if (options.hostname === undefined || options.port === undefined) {
  throw new TypeError("Cannot measure: --hostname and --port are needed");
}
const place = parsePlace(options);
const end = await loadEnd(options.transport ?? "machnet");
if (options.busy) stayBusy();
if (options.stdin) {
  for await (const line of createInterface(process.stdin)) {
    const [size = "", window = "", seconds = ""] = line.trim().split(/\s+/);
    const load = parseLoad(size, window, seconds);
    // A cell that failed is no reason to give up on the others.
    const result = await measure(end, place, load).catch((error: unknown) => ({
      error: `${error}`,
    }));
    console.log(JSON.stringify(result));
  }
} else {
  const { size = "64", window = "1", seconds = "2" } = options;
  const load = parseLoad(size, window, seconds);
  console.log(JSON.stringify(await measure(end, place, load)));
}
process.exit();
