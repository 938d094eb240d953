/** What documents are made of, for tests that hold them to what they say. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** A code block, and what the block after it says that it prints. */
export interface Block {
  readonly language: string;
  readonly text: string;
  readonly prints: string | undefined;
}

/** The code blocks of a document. */
export function readBlocks(markdown: string): Block[] {
  const found = [...markdown.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .map(([, language = "", text = ""]) => ({ language, text }));
  return found.map((block, index) => {
    const next = found[index + 1];
    return {
      ...block,
      prints: next?.language === "text" ? next.text : undefined,
    };
  });
}

/** The file that a program's first line names. */
export function programName(text: string): string {
  const [, name] = /^\/\/ (\w+\.ts)\n/.exec(text) ?? [];
  assert.ok(name, `a program without a name: ${text}`);
  return name;
}

/** The places in the repository that a document at `path` refers to, and that
 * do not exist. */
export function brokenLinks(path: string, markdown: string): string[] {
  return [...markdown.matchAll(/\]\((?!https:)([^)]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !existsSync(resolve(dirname(path), link)));
}
