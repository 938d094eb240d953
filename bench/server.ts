/**
 * Sends every request back, over machnet or over what one would use instead.
 *
 *     deno run --allow-all --unstable-net bench/server.ts --transport tcp
 *     bun bench/server.ts --transport machnet
 *
 * Options: --transport (machnet, the default, udp, tcp, websocket or http),
 * --hostname (to listen on, for all but machnet; 0.0.0.0 by default), --port (0
 * lets it be chosen), --socket (the control socket of another sidecar than this
 * machine's), --busy (never sleep), --spin-us (of machnet: see attach()).
 * bench/client.ts measures it.
 */
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";
import { stayBusy } from "./busy.ts";
import { loadEnd } from "./ends/end.ts";

const {
  transport = "machnet",
  hostname = "0.0.0.0",
  port = "0",
  socket,
  busy,
  "spin-us": spinUs,
} = parseArgs(process.argv.slice(2), {
  string: ["transport", "hostname", "port", "socket", "spin-us"],
  boolean: ["busy"],
});
const { serve } = await loadEnd(transport);
const bound = await serve({
  hostname,
  port: Number(port),
  socket,
  spinUs: spinUs === undefined ? undefined : Number(spinUs),
});
if (busy) stayBusy();
console.log(`listening on ${hostname}:${bound}`);
