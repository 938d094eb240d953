/**
 * A connection whose engine is a {@linkcode FakeLibrary}, and what it sends.
 */
import type { Channel } from "../channel.ts";
import type { Connection } from "../connection.ts";
import { FakeLibrary, turns } from "./fake_library.ts";

/** What the library calls the connection. */
export const ID = 5;

/** Open a channel, and connect to 10.0.0.9:888. */
export async function connect(
  fake: FakeLibrary = new FakeLibrary(),
): Promise<{ fake: FakeLibrary; channel: Channel; one: Connection }> {
  const channel = fake.open();
  return { fake, channel, one: await fake.connect(channel, ID) };
}

/** The bytes of a message. */
export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What the bytes of a message say. */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** What was sent, but for requests and replies. */
export function texts(fake: FakeLibrary): string[] {
  return fake.sent.map(({ text }) => text);
}

/** Blocks that the application holds, when the loop has turned. */
export async function lent(fake: FakeLibrary): Promise<number> {
  await turns();
  return fake.lent.size;
}
