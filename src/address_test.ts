import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEndpoint, formatIPv4, parseIPv4 } from "./address.ts";

test("parseIPv4() reads four decimal parts", () => {
  assert.equal(parseIPv4("0.0.0.0"), 0);
  assert.equal(parseIPv4("10.90.0.1"), 0x0a5a_0001);
  assert.equal(parseIPv4("255.255.255.255"), 0xffff_ffff);
});

test("parseIPv4() takes nothing else", () => {
  const others = ["", "10.0.0", "10.0.0.1.2", "10.0.0.256", "10.0.0.01"];
  others.push("0x0a.0.0.1", "10.0.0.1 ", "localhost", "::1", "10.0.0.-1");
  for (const text of others) assert.equal(parseIPv4(text), undefined, text);
});

test("formatIPv4() is the other way round", () => {
  for (const text of ["0.0.0.0", "10.90.0.1", "255.255.255.254"]) {
    assert.equal(formatIPv4(parseIPv4(text)!), text);
  }
  assert.equal(formatEndpoint({ hostname: "10.0.0.2", port: 8 }), "10.0.0.2:8");
});
