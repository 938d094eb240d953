// The tests of messages_test.ts, over af_packet and packets of 9000 bytes.
import { useWire } from "../testing/hosts.ts";
import { canMakeNamespaces, startVeth } from "../testing/veth.ts";

const MTU = 9000;

const skip = canMakeNamespaces() ? false : "network namespaces need root";
useWire(() => startVeth(MTU), skip, MTU);
await import("./messages_test.ts");
