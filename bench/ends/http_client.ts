/** The fetch() that both runtimes have: a connection per request under way. */
import { type Place, type Replies, type Requester, Requests } from "./end.ts";

/** See {@linkcode End}. */
export function connect(
  { hostname, port }: Place,
  size: number,
  replies: Replies,
): Promise<Requester> {
  const requests = new Requests(size);
  const url = `http://${hostname}:${port}/`;
  const ask = async (number: number): Promise<void> => {
    const body = requests.get(number);
    const response = await fetch(url, { method: "POST", body });
    replies.take(new Uint8Array(await response.arrayBuffer()));
    replies.done();
  };
  return Promise.resolve({
    send(numbers): void {
      for (const number of numbers) {
        ask(number).catch((error: unknown) => replies.fail(error));
      }
    },
    close(): void {},
  });
}
