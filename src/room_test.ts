import assert from "node:assert/strict";
import { test } from "node:test";
import { Status } from "../ffi/status.ts";
import { RoomQueue } from "./room.ts";

function fill(queue: RoomQueue, owners: object[], room: { left: number }) {
  const settled: [number, number][] = [];
  owners.forEach((owner, index) =>
    queue.push({
      owner,
      attempt: () => room.left-- > 0 ? Status.OK : Status.AGAIN,
      settle: (status) => settled.push([index, status]),
    })
  );
  return settled;
}

test("RoomQueue makes calls in order, as far as there is room", () => {
  const queue = new RoomQueue();
  const room = { left: 2 };
  const settled = fill(queue, [{}, {}, {}], room);
  queue.retry();
  assert.deepEqual(settled, [[0, 0], [1, 0]]);
  assert.equal(queue.waiting, true);
  room.left = 5;
  queue.retry();
  assert.deepEqual(settled, [[0, 0], [1, 0], [2, 0]]);
  assert.equal(queue.waiting, false);
});

test("RoomQueue fails the calls of one owner, or all", () => {
  const queue = new RoomQueue();
  const [one, other] = [{}, {}];
  const settled = fill(queue, [one, other, one], { left: 0 });
  queue.fail(Status.CONNECTION_CLOSED, one);
  assert.deepEqual(settled, [[0, -25], [2, -25]]);
  queue.fail(Status.SIDECAR_GONE);
  assert.deepEqual(settled.at(-1), [1, -11]);
  assert.equal(queue.waiting, false);
});

test("RoomQueue forgets a call that was given up", () => {
  const queue = new RoomQueue();
  const item = { owner: {}, attempt: () => 0, settle: () => assert.fail() };
  queue.push(item);
  queue.remove(item);
  queue.retry();
  assert.equal(queue.waiting, false);
});
