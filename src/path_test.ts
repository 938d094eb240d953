import assert from "node:assert/strict";
import { test } from "node:test";
import { EventKind } from "../ffi/structs.ts";
import type { Connection } from "./connection.ts";
import type { PathMethod } from "./path.ts";
import { FakeLibrary, turns } from "./testing/fake_library.ts";

const REMEMBERED = 3;

/** Let the engine tell of a path: out on 11 and 12, in on 13 and 14. */
function tell(fake: FakeLibrary, connection: number, moves: number): void {
  fake.post({
    kind: EventKind.PATH,
    port: 2 | 5 << 8,
    connection,
    offset: 11 | 12 << 16,
    token: 13 | 14 << 16,
    status: REMEMBERED | 3 << 8 | 18 << 16,
    address: 70,
    listener: moves,
  });
}

function announce(fake: FakeLibrary, token: number, connection: number): void {
  const address = 0x0a00_0009;
  fake.post({
    kind: EventKind.CONNECTED,
    token,
    connection,
    address,
    port: 888,
  });
}

test("path tells how each of several connections was opened", async () => {
  const fake = new FakeLibrary();
  const channel = fake.open();
  const pending: Promise<Connection>[] = [1, 2].map(() =>
    channel.connect({ hostname: "10.0.0.9", port: 888 })
  );
  await turns();
  const tokens = fake.called("connect").map(([token]) => token as number);
  tell(fake, 7, 1);
  tell(fake, 8, 2);
  announce(fake, tokens[1]!, 8);
  announce(fake, tokens[0]!, 7);
  const [one, other] = await Promise.all(pending);
  assert.deepEqual(one!.path, {
    local: 2,
    remote: 5,
    outgoing: { from: 11, to: 12 },
    incoming: { from: 13, to: 14 },
    method: "remembered" satisfies PathMethod,
    probes: 18,
    rounds: 3,
    setupUs: 70,
    moves: 1,
  });
  assert.equal(other!.path.moves, 2);
});

test("path changes when the engine says so", async () => {
  const fake = new FakeLibrary();
  const channel = fake.open();
  const pending = channel.connect({ hostname: "10.0.0.9", port: 888 });
  await turns();
  tell(fake, 7, 0);
  announce(fake, fake.called("connect")[0]![0] as number, 7);
  const connection = await pending;
  const before = connection.path;
  tell(fake, 7, 1);
  await turns();
  assert.equal(before.moves, 0);
  assert.equal(connection.path.moves, 1);
});
