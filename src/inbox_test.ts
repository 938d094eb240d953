import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbox } from "./inbox.ts";

test("Inbox gives back in order while it grows and wraps", () => {
  const inbox = new Inbox();
  const expected: [number, number][] = [];
  let next = 0;
  for (let round = 0; round < 200; round++) {
    for (let count = 0; count < (round * 7) % 23; count++) {
      inbox.push(next, next * 2);
      expected.push([next, next * 2]);
      next++;
    }
    for (let count = 0; count < (round * 5) % 19 && inbox.size > 0; count++) {
      assert.deepEqual([inbox.offset, inbox.length], expected.shift());
      inbox.shift();
    }
    assert.equal(inbox.size, expected.length);
  }
  assert.ok(next > 1000);
});

test("Inbox holds numbers up to 32 bits", () => {
  const inbox = new Inbox();
  inbox.push(0xffff_ffff, 8 * 2 ** 20);
  assert.equal(inbox.offset, 0xffff_ffff);
  assert.equal(inbox.length, 8 * 2 ** 20);
});
