// Several engines over af_packet: the kernel chooses their queues, by a hash
// whose key nobody can read or set. It has one per boot.
import { test } from "node:test";
import { Mesh } from "../testing/mesh.ts";
import { canMakeNamespaces, startVeth } from "../testing/veth.ts";

const skip = canMakeNamespaces() ? false : "network namespaces need root";

for (const engines of [2, 3, 4]) {
  test(`the kernel's hash: ${engines} engines find their queues`, {
    skip,
  }, async () => {
    await using wire = await startVeth(1500, "af_packet", engines);
    await using mesh = await Mesh.open(wire.hosts, engines);
    await mesh.settle();
  });
}
