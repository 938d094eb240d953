import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import { RoomQueue } from "./room.ts";

interface Owner {
  readonly name: string;
  /** Calls that it may make; all owners share what the queue has. */
  may: number;
}

/** Queue calls, in this order; what was settled, by name and status. */
function fill(
  queue: RoomQueue,
  owners: Owner[],
  room: { left: number },
): string[] {
  const settled: string[] = [];
  const counts = new Map<Owner, number>();
  for (const owner of owners) {
    const count = (counts.get(owner) ?? 0) + 1;
    counts.set(owner, count);
    queue.push({
      owner,
      attempt(): number {
        if (room.left === 0 || owner.may === 0) return Status.AGAIN;
        room.left--;
        owner.may--;
        return Status.OK;
      },
      settle: (status) => settled.push(`${owner.name}${count} ${status}`),
    });
  }
  return settled;
}

test("RoomQueue makes the calls of an owner in order, as far as there is room", () => {
  const queue = new RoomQueue();
  const a = { name: "a", may: Infinity };
  const room = { left: 2 };
  const settled = fill(queue, [a, a, a], room);
  queue.retry();
  assert.deepEqual(settled, ["a1 0", "a2 0"]);
  assert.equal(queue.waits(a), true);
  room.left = 5;
  queue.retry();
  assert.deepEqual(settled, ["a1 0", "a2 0", "a3 0"]);
  assert.equal(queue.waits(a), false);
  assert.equal(queue.waiting, false);
});

test("RoomQueue serves others while one owner finds no room", () => {
  const queue = new RoomQueue();
  const [stuck, b, c] = ["stuck", "b", "c"].map((name) => ({
    name,
    may: name === "stuck" ? 0 : Infinity,
  })) as [Owner, Owner, Owner];
  const settled = fill(queue, [stuck, stuck, b, b, c], { left: Infinity });
  queue.retry();
  assert.deepEqual(settled, ["b1 0", "c1 0", "b2 0"]);
  assert.equal(queue.waits(stuck), true);
  assert.equal(queue.waits(b), false);
  stuck.may = 1;
  queue.retry();
  assert.deepEqual(settled.slice(3), ["stuck1 0"]);
});

test("RoomQueue gives each free block to the next owner", () => {
  const queue = new RoomQueue();
  const [a, b] = ["a", "b"].map((name) => ({ name, may: Infinity })) as [
    Owner,
    Owner,
  ];
  const room = { left: 0 };
  const settled = fill(queue, [a, a, a, b, b], room);
  for (let count = 0; count < 5; count++) {
    room.left = 1;
    queue.retry();
  }
  assert.deepEqual(settled, ["a1 0", "b1 0", "a2 0", "b2 0", "a3 0"]);
});

test("RoomQueue makes many calls of one owner in order", () => {
  const queue = new RoomQueue();
  const owner = {};
  const made: number[] = [];
  const settled: number[] = [];
  const items = Array.from({ length: 1000 }, (_, number) => ({
    owner,
    attempt(): number {
      if (made.length >= 300) return Status.AGAIN;
      made.push(number);
      return Status.OK;
    },
    settle: () => settled.push(number),
  }));
  for (const item of items) queue.push(item);
  queue.retry();
  for (const item of items.slice(500)) queue.remove(item);
  queue.fail(Status.CLOSED);
  assert.deepEqual(made, [...items.keys()].slice(0, 300));
  assert.deepEqual(settled, [...items.keys()].slice(0, 500));
  assert.equal(queue.waiting, false);
});

test("RoomQueue fails the calls of one owner, or all", () => {
  const queue = new RoomQueue();
  const [a, b] = [{ name: "a", may: 0 }, { name: "b", may: 0 }];
  const settled = fill(queue, [a, b, a], { left: 0 });
  queue.fail(Status.CONNECTION_CLOSED, a);
  assert.deepEqual(settled, ["a1 -25", "a2 -25"]);
  queue.fail(Status.SIDECAR_GONE);
  assert.deepEqual(settled.slice(2), ["b1 -11"]);
  assert.equal(queue.waiting, false);
});

test("RoomQueue may lose an owner while it settles another", () => {
  const queue = new RoomQueue();
  const [one, other] = [{}, {}];
  const statuses: number[] = [];
  queue.push({
    owner: one,
    attempt: () => Status.OK,
    settle: () => queue.fail(Status.CONNECTION_CLOSED, other),
  });
  queue.push({
    owner: other,
    attempt: () => assert.fail(),
    settle: (status) => statuses.push(status),
  });
  queue.retry();
  assert.deepEqual(statuses, [Status.CONNECTION_CLOSED]);
});

test("RoomQueue forgets a call that was given up", () => {
  const queue = new RoomQueue();
  const item = { owner: {}, attempt: () => 0, settle: () => assert.fail() };
  queue.push(item);
  queue.remove(item);
  queue.retry();
  assert.equal(queue.waiting, false);
});
