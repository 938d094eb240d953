/** What a lab is good for, in a process that may not do everything. */
import { Lab } from "../../../mod.ts";

await using lab = await Lab.start({ hosts: 2 });
await lab.rekey();
const { sidecar, vnic } = await lab.hosts[0]!.stats();
const counters = [sidecar["packets_sent"], vnic?.packets_sent];
console.log(counters.every(Number.isInteger) ? "counted" : counters);
