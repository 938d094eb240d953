// The tests of requests_test.ts, over af_packet and a veth pair.
import { useWire } from "../testing/hosts.ts";
import { canMakeNamespaces, startVeth } from "../testing/veth.ts";

const skip = canMakeNamespaces() ? false : "network namespaces need root";
useWire(startVeth, skip);
await import("./requests_test.ts");
