/**
 * Runs every example in the documentation of the public names, against a lab:
 * what attaches finds a sidecar, what connects a server, and who listens gets a
 * client.
 */
import { Lab, type LabHost, type Listener, service } from "machnet";
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { ROOT, RUNTIME, runtimePath } from "../bench/processes.ts";

interface Tag {
  readonly kind: string;
  readonly doc?: string;
}

/** As much of what `deno doc --json` prints as is needed here. */
interface Documented {
  readonly name: string;
  readonly jsDoc?: { readonly doc?: string; readonly tags?: readonly Tag[] };
  readonly kind?: string;
  readonly declarations?: readonly Documented[];
  readonly def?: Readonly<Record<string, unknown>>;
}

/** A documented name and its examples. */
interface Entry {
  readonly name: string;
  readonly examples: readonly string[];
  /** Whether one may wonder how to use it without an example. */
  readonly wantsExample: boolean;
  /** Whether it says what it throws. */
  readonly throws: boolean;
}

function entry(
  name: string,
  { jsDoc }: Pick<Documented, "jsDoc">,
  wantsExample: boolean,
): Entry {
  const tags = jsDoc?.tags ?? [];
  return {
    name,
    wantsExample,
    throws: tags.some(({ kind }) => kind === "throws"),
    examples: tags.filter(({ kind }) => kind === "example").flatMap(({ doc }) =>
      [...doc!.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, text]) => text!)
    ),
  };
}

function members(owner: string, { def }: Documented): Entry[] {
  return ["methods", "properties"].flatMap((kind) =>
    ((def?.[kind] ?? []) as Documented[]).map((member) =>
      entry(
        `${owner}.${member.name}`,
        member,
        kind === "methods" && member.kind !== "getter" &&
          !member.name.startsWith("["),
      )
    )
  );
}

const documentation = JSON.parse(
  execFileSync(runtimePath("deno"), ["doc", "--json", "mod.ts"], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  }),
) as { nodes: Record<string, { module_doc: object; symbols: Documented[] }> };
const [module] = Object.values(documentation.nodes);
const symbols = module!.symbols.flatMap(({ name, declarations }) =>
  declarations!.map((declaration) => ({ ...declaration, name }))
);
const entries = [
  entry("mod.ts", { jsDoc: module!.module_doc }, true),
  ...symbols.flatMap((one) => [
    entry(one.name, one, true),
    ...members(one.name, one),
  ]),
];

let lab: Lab;
/** Where the examples run, and where their peers are. */
let here: LabHost;
let there: LabHost;
let folder: string;
let web: Server;
let peers: AsyncDisposable;

before(async () => {
  mkdirSync(join(ROOT, "test-results"), { recursive: true });
  folder = mkdtempSync(join(ROOT, "test-results", "symbols-"));
  web = createServer((_request, response) => response.end("found"));
  await new Promise<void>((resolve) => {
    web.listen(0, "127.0.0.1", resolve);
  });
  lab = await Lab.start({ hosts: 2, wire: "direct" });
  [here, there] = lab.hosts as [LabHost, LabHost];
  const channel = await there.attach();
  peers = channel;
  void welcome(await channel.listen({ port: 888 }));
});

after(async () => {
  await peers[Symbol.asyncDispose]();
  await lab.close();
  web.close();
  rmSync(folder, { recursive: true });
});

const calculator = service({
  add: { input: z.tuple([z.number(), z.number()]), output: z.number() },
});

/** Greet whoever connects, echo, and answer. */
async function welcome(listener: Listener): Promise<void> {
  const calculate = calculator.handler({ add: ([a, b]) => a + b });
  for await (const connection of listener) {
    connection.serve(async (request) => {
      try {
        return await calculate(request);
      } catch {
        return request.copy();
      }
    });
    (async () => {
      await connection.send(new TextEncoder().encode("welcome"));
      for await (const message of connection) {
        await connection.send(message.data);
      }
    })().catch(() => {}); // it has left
  }
}

/** Connect to an example, and ask it something. */
async function visit(text: string, ended: Promise<unknown>): Promise<void> {
  let over = false;
  void ended.then(() => over = true);
  await using channel = await there.attach();
  for (;;) {
    try {
      await using connection = await channel.connect({
        hostname: here.address,
        port: 888,
      });
      const word = new TextEncoder().encode("/");
      // Others close it as soon as it is there.
      if (text.includes("gzip")) connection.trySend(gzipSync(word));
      if (text.includes(".send(message.data)")) {
        connection.trySend(word);
        (await connection.receive()).release();
      }
      if (!text.includes(".serve(")) return;
      const asked = connection.request(word, { timeout: 60_000 });
      using _ = await asked.catch((error) => {
        // What it may say of a word that it does not know.
        if (error.name === "RequestError") return undefined;
        throw error;
      });
      return;
    } catch (error) {
      const { code } = error as { code?: string };
      if (over || code !== "CONNECTION_REFUSED") throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Where an example finds what it names. */
function settle(text: string): string {
  const { port } = web.address() as AddressInfo;
  return text.replaceAll('"10.0.0.2"', `"${there.address}"`)
    .replaceAll("127.0.0.1:8000", `127.0.0.1:${port}`)
    .replaceAll("/tmp/", `${folder}/`);
}

function start(file: string): {
  child: ChildProcess;
  ended: Promise<{ code: number | null; complaints: string }>;
} {
  const flags = RUNTIME === "deno" ? ["run", "--no-check", "--allow-all"] : [];
  const child = spawn(runtimePath(RUNTIME), [...flags, file], {
    cwd: ROOT,
    env: { ...process.env, MACHNET_SOCKET: here.socket },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaints = "";
  child.stderr!.setEncoding("utf8")
    .on("data", (piece: string) => complaints += piece);
  const ended = new Promise<{ code: number | null; complaints: string }>(
    (resolve) => child.once("close", (code) => resolve({ code, complaints })),
  );
  return { child, ended };
}

for (const { name, examples } of entries) {
  for (const [index, text] of examples.entries()) {
    test(`the example of ${name} runs`, async () => {
      const file = join(folder, `${name.replaceAll(/\W/g, "_")}_${index}.ts`);
      writeFileSync(file, settle(text));
      const { child, ended } = start(file);
      const serves = /\.listen\(\{ port: 888/.test(text) &&
        !text.includes("Lab");
      if (serves) {
        await visit(text, ended);
        child.kill("SIGKILL");
      }
      const { code, complaints } = await ended;
      assert.equal(complaints, "");
      assert.equal(code, serves ? null : 0);
    });
  }
}

test("each public name has an example, methods included", () => {
  const without = entries.filter(({ examples, wantsExample }) =>
    wantsExample && examples.length === 0
  );
  assert.deepEqual(without.map(({ name }) => name), []);
});

// Calls that fail in no way, or whose result does that later.
const THROW_NOTHING = [
  ...["Channel.close", "Listener.close", "Engine.close", "Lab.close"],
  ...["Connection.ref", "Connection.unref", "Listener.ref", "Listener.unref"],
  ...["Message.release", "OutgoingMessage.release", "Service.client"],
];

test("each call says what it throws, or throws nothing", () => {
  const functions = symbols.filter(({ kind }) => kind === "function");
  const names = new Set(functions.map(({ name }) => name));
  const silent = entries.filter(({ name, wantsExample, throws }) =>
    (names.has(name) || (name.includes(".") && wantsExample)) && !throws &&
    name !== "mod.ts"
  );
  assert.deepEqual(
    silent.map(({ name }) => name).sort(),
    THROW_NOTHING.toSorted(),
  );
});
