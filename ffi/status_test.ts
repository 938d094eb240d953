import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type ErrorCode, failure } from "./error.ts";
import {
  Status,
  STATUSES,
  statusMessage,
  type StatusName,
  statusName,
} from "./status.ts";

const header = readFileSync(
  new URL("../native/include/machnet/status.h", import.meta.url),
  "utf8",
);

test("STATUSES equals the list in status.h", () => {
  const entry = /X\((\w+), (-?\d+),((?:[\s\\]+"[^"]*")+)\)/g;
  const listed = [...header.matchAll(entry)]
    .map(([, name, value, literals]) => [
      name,
      Number(value),
      [...literals!.matchAll(/"([^"]*)"/g)].map(([, text]) => text).join(""),
    ]);
  assert.ok(listed.length > 30);
  assert.deepEqual(STATUSES, listed);
});

test("STATUSES counts down without a gap", () => {
  STATUSES.forEach(([, value], index) => assert.equal(value, 0 - index));
});

test("ErrorCode names every status but OK and AGAIN", () => {
  // The assignments are the test; the type checker makes it.
  const one = (code: ErrorCode): Exclude<StatusName, "OK" | "AGAIN"> => code;
  const two = (name: Exclude<StatusName, "OK" | "AGAIN">): ErrorCode => name;
  assert.equal(one(two("CLOSED")), "CLOSED");
});

test("statusName() and statusMessage() know every status", () => {
  for (const [name, value, message] of STATUSES) {
    assert.equal(statusName(value), name);
    assert.equal(statusMessage(value), message);
    assert.equal(Status[name], value);
  }
});

test("statusName() takes what it does not know for a system error", () => {
  assert.equal(statusName(-1000), "SYSTEM_ERROR");
  assert.equal(statusName(7), "SYSTEM_ERROR");
});

test("failure() says what was attempted and why it failed", () => {
  const error = failure(
    Status.HOST_UNREACHABLE,
    "Cannot connect to 10.0.0.9:888",
  );
  assert.equal(error.code, "HOST_UNREACHABLE");
  assert.equal(
    error.message,
    "Cannot connect to 10.0.0.9:888: no host answers for the address; is " +
      "the sidecar there running?",
  );
});
