// Starts a lab, prints the ids of its processes, and never ends by itself,
// unless the parameter says so.
import process from "node:process";
import { Lab } from "../../../mod.ts";

const lab = await Lab.start({ hosts: 2 });
const pids = [...lab.hosts.map(({ pid }) => pid), lab.fabricPid];
console.log(JSON.stringify(pids));
if (process.argv[2] !== "end") setInterval(() => {}, 1000);
