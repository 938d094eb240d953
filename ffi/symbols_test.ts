import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CLIENT_SYMBOLS, ENGINE_SYMBOLS } from "./symbols.ts";

interface Prototype {
  result: string;
  parameters: { name: string; type: string }[];
}

function read(path: string): string {
  return readFileSync(new URL(path, import.meta.url), "utf8");
}

// What the FFI needs to know of a C type.
function ffiType(declaration: string): string {
  if (/\bvoid \*(base|context|driver)$/.test(declaration)) return "pointer";
  if (declaration.includes("*")) return "bytes";
  if (declaration.startsWith("uint32_t")) return "u32";
  if (declaration.startsWith("int32_t")) return "i32";
  throw new Error(`Cannot translate C declaration "${declaration}"`);
}

function prototypes(header: string): Record<string, Prototype> {
  const text = read(`../native/include/machnet/${header}`);
  const found: Record<string, Prototype> = {};
  for (
    const [, result, name, list] of text.matchAll(
      /^MACHNET_API ([\w ]+?[ *]+)(machnet_\w+)\(([^)]*)\);/gm,
    )
  ) {
    const declarations = list!.split(",").map((one) =>
      one.trim().replace(/\s+/g, " ")
    );
    const kind = result!.trim();
    found[name!] = {
      result: kind.includes("*")
        ? "pointer"
        : kind.replace("uint32_t", "u32").replace("int32_t", "i32"),
      parameters: list!.trim() === "void" ? [] : declarations.map((one) => ({
        name: /(\w+)$/.exec(one)![1]!,
        type: ffiType(one),
      })),
    };
  }
  return found;
}

// The names of parameters are comments in the table, so they come from there.
function parameterNames(symbol: string): string[] {
  const source = read("./symbols.ts");
  const from = source.indexOf(`  ${symbol}: {`);
  const entry = source.slice(from, source.indexOf("    result:", from));
  return [...entry.matchAll(/\/\/ (\w+)/g)].map(([, name]) => name!);
}

for (
  const [header, table] of [
    ["machnet.h", CLIENT_SYMBOLS],
    ["engine.h", ENGINE_SYMBOLS],
  ] as const
) {
  test(`the symbol table has every call of ${header} and no other`, () => {
    assert.deepEqual(
      Object.keys(table).sort(),
      Object.keys(prototypes(header)).sort(),
    );
  });

  test(`the symbol table has the types and names of ${header}`, () => {
    const expected = prototypes(header);
    for (const [name, { parameters, result }] of Object.entries(table)) {
      const names = parameterNames(name);
      assert.deepEqual(
        {
          result: result as string,
          parameters: parameters.map((type: string, index: number) => ({
            name: names[index],
            type,
          })),
        },
        expected[name],
        name,
      );
    }
  });
}
