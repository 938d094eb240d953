// Starts a lab, prints the ids of its processes and its directory, and never
// ends by itself, unless the parameter says so.
import { dirname } from "node:path";
import process from "node:process";
import { Lab } from "../../../mod.ts";

const lab = await Lab.start({ hosts: 2 });
const pids = [...lab.hosts.map(({ pid }) => pid), lab.fabricPid];
console.log(JSON.stringify(pids));
console.log(dirname(lab.hosts[0]!.socket));
if (process.argv[2] !== "end") setInterval(() => {}, 1000);
