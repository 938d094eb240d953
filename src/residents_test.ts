import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionState } from "./connection_state.ts";
import { Residents } from "./residents.ts";

// All that it asks of one.
function connection(id: number): ConnectionState {
  return { id } as ConnectionState;
}

test("Residents.connection() finds each by its number, while it is there", () => {
  const residents = new Residents();
  const [first, second, third] = [1, 2, 1].map(connection);
  assert.equal(residents.connection(1), undefined);
  residents.addConnection(first!);
  residents.addConnection(second!);
  for (let round = 0; round < 2; round++) {
    assert.equal(residents.connection(1), first);
    assert.equal(residents.connection(2), second);
  }
  assert.equal(residents.connection(1), first);
  assert.equal(residents.removeConnection(1), first);
  assert.equal(residents.connection(1), undefined);
  residents.addConnection(third!);
  assert.equal(residents.connection(1), third);
  residents.clear();
  assert.equal(residents.connection(1), undefined);
});
