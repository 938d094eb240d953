import assert from "node:assert/strict";
import { test } from "node:test";
import { Views } from "./views.ts";

const memory = new Uint8Array(1 << 20);

test("Views.get() gives a view of just these bytes", () => {
  const views = new Views(memory);
  for (let offset = 0; offset < memory.length; offset += 256) {
    for (const length of [64, 100, 0, 64]) {
      const view = views.get(offset, length);
      assert.equal(view.buffer, memory.buffer);
      assert.equal(view.byteOffset, offset);
      assert.equal(view.length, length);
    }
  }
});

test("Views.get() gives the same view of the same bytes", () => {
  for (const block of [256, 4096, 32 * 1024]) {
    const views = new Views(memory);
    const get = (_: unknown, at: number): Uint8Array =>
      views.get(at * block, 100);
    const seen = Array.from({ length: 32 }, get);
    const again = Array.from({ length: 32 }, get);
    const kept = again.filter((view, at) => view === seen[at]).length;
    assert.ok(kept > 16, `${kept} of blocks of ${block} bytes`);
  }
});
