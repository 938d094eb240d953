/**
 * Sends every request back, over machnet or over what one would use instead.
 *
 *     deno run --allow-all --unstable-net bench/server.ts --transport tcp
 *     bun bench/server.ts --transport machnet
 *
 * bench/client.ts measures it. `--help` lists the options.
 */
import { stayBusy } from "./busy.ts";
import { loadEnd, parsePlace, PLACE_OPTIONS } from "./ends/end.ts";
import { readOptions } from "./options.ts";

const options = readOptions({
  purpose: "Sends every request of bench/client.ts back.",
  text: PLACE_OPTIONS,
  flags: { busy: "never sleep" },
});
const place = parsePlace(options);
const { serve } = await loadEnd(options.transport ?? "machnet");
const port = await serve(place);
if (options.busy) stayBusy();
console.log(`listening on ${place.hostname}:${port}`);
