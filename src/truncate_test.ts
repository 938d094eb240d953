import assert from "node:assert/strict";
import { test } from "node:test";
import { takeFirst, truncate } from "./truncate.ts";

test("truncate() keeps the first items, and no more than there are", () => {
  const items = [1, 2, 3];
  truncate(items, 4);
  assert.deepEqual(items, [1, 2, 3]);
  truncate(items, 1);
  assert.deepEqual(items, [1]);
  truncate(items, 0);
  assert.deepEqual(items, []);
});

test("takeFirst() takes one item after another", () => {
  const items = [1, 2, 3];
  assert.deepEqual([1, 2, 3].map(() => takeFirst(items)), [1, 2, 3]);
  assert.deepEqual(items, []);
});
