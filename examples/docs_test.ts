/**
 * Does what the documents in docs/ say, as readme_test.ts does for README.md,
 * and compares their figures with those that the code has now.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";
import { ROOT, type Runtime, runtimePath } from "../bench/processes.ts";
import { figures } from "../bench/rss/figures.ts";
import {
  brokenLinks,
  programName,
  readBlocks,
} from "../src/testing/markdown.ts";

const run = promisify(execFile);
const runtime: Runtime = process.versions["bun"] ? "bun" : "deno";

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

for (const path of globSync("docs/*.md", { cwd: ROOT }).sort()) {
  const document = read(path);
  const blocks = readBlocks(document);

  test(`${path}: its links lead somewhere`, () => {
    assert.deepEqual(brokenLinks(join(ROOT, path), document), []);
  });

  for (const { language, text, prints } of blocks) {
    if (language === "ts") {
      test(`${path}: ${programName(text)} prints what it says`, async () => {
        const folder = mkdtempSync(join(tmpdir(), "machnet-docs-"));
        try {
          const file = join(folder, programName(text));
          writeFileSync(file, text);
          const { stdout } = await run(runtimePath(runtime), ["run", file]);
          assert.equal(stdout, prints);
        } finally {
          rmSync(folder, { recursive: true });
        }
      });
    }
    if (language === "sh") {
      test(`${path}: "${text.trim()}" exists`, async () => {
        const [program, ...targets] = text.trim().split(" ");
        assert.equal(program, "make");
        const { stdout } = await run("make", ["-n", "-C", ROOT, ...targets]);
        assert.match(stdout, /\S/);
      });
    }
  }

  test(`${path}: no other kind of code is in it`, () => {
    const others = blocks.filter(({ language }) =>
      !["ts", "sh", "text"].includes(language)
    );
    assert.deepEqual(others, []);
  });
}

test("docs/rss.md: its tables and its plot are those of the code", async () => {
  const { tables, plot } = await figures();
  const document = read("docs/rss.md");
  const advice = "make bench-rss-simulation writes them anew";
  for (const [name, table] of Object.entries(tables)) {
    const [, shown] = new RegExp(`<!-- table: ${name} -->\n\n((?:[|].*\n)+)`)
      .exec(document) ?? [];
    assert.equal(shown, `${table}\n`, advice);
  }
  assert.equal(read("docs/rss.svg"), plot, advice);
});

/** Numbers in the text of docs/rss.md, and where they are defined. */
const CONSTANTS: readonly (readonly [RegExp, string, RegExp])[] = [
  [/those of (\d+) to/, "transport/transport.h", /PORT_FIRST (\d+)u/],
  [/those of \d+ to (\d+)/, "transport/transport.h", /PORT_LAST (\d+)u/],
  [/good for (\d+) s/, "transport/flow.h", /COOKIE_LIFE_MS (\d+)000u/],
  [/at most (\d+) SYNs/, "rss/plan.h", /RSS_BURST_MAX (\d+)u/],
  [/Up to (\d+) queues/, "rss/map.h", /RSS_QUEUES_MAX (\d+)u/],
];

test("docs/rss.md: its numbers are those of the code", () => {
  const document = read("docs/rss.md").replaceAll(/\s+/g, " ");
  for (const [said, path, defined] of CONSTANTS) {
    const [, number] = said.exec(document) ?? [];
    const [, value] = defined.exec(read(`native/${path}`)) ?? [];
    assert.ok(number !== undefined, `${said}`);
    assert.equal(number, value, `${said}`);
  }
});
