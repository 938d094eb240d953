/**
 * Sends every request back, over machnet or over what one would use instead.
 *
 *     deno run --allow-all --unstable-net bench/server.ts --transport tcp
 *     bun bench/server.ts --transport machnet
 *
 * Options: --transport (machnet, the default, udp, tcp, websocket or http),
 * --hostname (to listen on, for all but machnet; 0.0.0.0 by default), --port (0
 * lets it be chosen), --socket (the control socket of another sidecar than this
 * machine's), --busy (never sleep), --spin-us (of machnet: see attach()), --device,
 * --ip and --mtu (of machnet: run an engine inline, see Engine.start(), in place of
 * a sidecar).
 * bench/client.ts measures it.
 */
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import { stayBusy } from "./busy.ts";
import { loadEnd, parsePlace, PLACE_OPTIONS } from "./ends/end.ts";

const options = parseArgs(process.argv.slice(2), {
  string: [...PLACE_OPTIONS, "transport"],
  boolean: ["busy"],
});
const place = parsePlace(options);
const { serve } = await loadEnd(options.transport ?? "machnet");
const port = await serve(place);
if (options.busy) stayBusy();
console.log(`listening on ${place.hostname}:${port}`);
