/**
 * Does what the documents in docs/ say, as readme_test.ts does for README.md,
 * and compares their figures with those that the code has now.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { ROOT, RUNTIME, runtimePath } from "../bench/processes.ts";
import { figures } from "../bench/rss/figures.ts";
import {
  brokenLinks,
  programName,
  readBlocks,
} from "../src/testing/markdown.ts";

mkdirSync(join(ROOT, "test-results"), { recursive: true });
const run = promisify(execFile);

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
      test(`${path}: ${programName(text)} runs, and prints what it says`, async () => {
        // In the repository, so that "machnet" is found.
        const folder = mkdtempSync(join(ROOT, "test-results", "docs-"));
        try {
          const file = join(folder, programName(text));
          writeFileSync(file, text);
          const flags = RUNTIME === "deno" ? ["--allow-all"] : [];
          const { stdout } = await run(
            runtimePath(RUNTIME),
            ["run", ...flags, file],
          );
          if (prints !== undefined) assert.equal(stdout, prints);
          else assert.match(stdout, /\S/);
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

// Some seconds of computing.
const patience = { timeout: 600_000 };

test(
  "docs/rss.md: its tables and its plot are those of the code",
  patience,
  async () => {
    const { tables, plot } = await figures();
    const document = read("docs/rss.md");
    const advice = "make bench-rss-simulation writes them anew";
    for (const [name, table] of Object.entries(tables)) {
      const [, shown] = new RegExp(`<!-- table: ${name} -->\n\n((?:[|].*\n)+)`)
        .exec(document) ?? [];
      assert.equal(shown, `${table}\n`, advice);
    }
    assert.equal(read("docs/rss.svg"), plot, advice);
  },
);

/** Numbers in documents, and where they are defined. */
const NUMBERS: readonly (readonly [string, RegExp, string, RegExp])[] = [
  ["rss", /those of (\d+) to/, "native/transport/transport.h", /FIRST (\d+)u/],
  [
    "rss",
    /those of \d+ to (\d+)/,
    "native/transport/transport.h",
    /LAST (\d+)u/,
  ],
  ["rss", /good for (\d+) s/, "native/transport/flow.h", /LIFE_MS (\d+)000u/],
  ["rss", /at most (\d+) SYNs/, "native/rss/plan.h", /BURST_MAX (\d+)u/],
  ["rss", /Up to (\d+) queues/, "native/rss/map.h", /QUEUES_MAX (\d+)u/],
  ["architecture", /up to (\d+) events/, "src/core.ts", /EVENTS = (\d+);/],
];

test("docs: their numbers are those of the code", () => {
  for (const [document, said, path, defined] of NUMBERS) {
    const text = read(`docs/${document}.md`).replaceAll(/\s+/g, " ");
    const [, number] = said.exec(text) ?? [];
    const [, value] = defined.exec(read(path)) ?? [];
    assert.ok(number !== undefined, `${said}`);
    assert.equal(number, value, `${said}`);
  }
});

/** Functions and files of docs/architecture.md, as they stand side by side. */
const NAMED = /`(\w+)\(\)`(?: +\| +| in |\s+in\s+)\[[^\]]+\]\(([^)]+)\)/g;

test("docs/architecture.md: its functions are where it says", () => {
  const named = [...read("docs/architecture.md").matchAll(NAMED)];
  assert.ok(named.length > 30, `${named.length}`);
  for (const [, name, path] of named) {
    // At the beginning of a line of C, or of a method.
    const defined = new RegExp(`^(?:  |(?:export )?function )?${name}\\(`, "m");
    assert.match(read(join("docs", path!)), defined, `${name} in ${path}`);
  }
});

test("docs/architecture.md: every function that it names has a file", () => {
  const document = read("docs/architecture.md");
  const names = [...document.matchAll(/`\w+\(\)`/g)].length;
  assert.equal([...document.matchAll(NAMED)].length, names);
});

test("docs/architecture.md: names all folders of native/", () => {
  const document = read("docs/architecture.md");
  const folders = globSync("native/*/meson.build", { cwd: ROOT })
    .map((path) => path.split("/")[1]!)
    .filter((name) => !name.startsWith("build") && name !== "bench");
  for (const folder of folders) {
    assert.ok(document.includes(`\n| \`${folder}/\``), folder);
  }
});
