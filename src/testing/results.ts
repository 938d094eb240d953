/** One test and what became of it. */
export interface Case {
  /** Its own name, after those of the groups it is in where known. */
  readonly path: readonly string[];
  readonly outcome: "passed" | "failed" | "skipped";
  /** Why, where the runner tells; else empty. */
  readonly detail: string;
}

const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};

function unescape(text: string): string {
  return text.replace(
    /&(?:#(\d+)|(\w+));/g,
    (whole, code, name) =>
      code ? String.fromCodePoint(Number(code)) : entities[name] ?? whole,
  );
}

function attribute(tag: string, name: string): string {
  return unescape(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? "");
}

/**
 * Reads the JUnit files that Deno and Bun write. Both escape `<` and `>`
 * everywhere, so that patterns are enough.
 *
 * @returns the tests in the order of the file. Deno lists groups beside the
 * tests in them; a group counts only where it failed by itself, in a hook.
 */
export function readJUnit(xml: string): Case[] {
  const cases: Case[] = [];
  const pattern = /<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  for (const [, tag = "", body = ""] of xml.matchAll(pattern)) {
    cases.push({
      path: attribute(tag, "name").split(" > "),
      outcome: /<(failure|error)\b/.test(body)
        ? "failed"
        : body.includes("<skipped")
        ? "skipped"
        : "passed",
      detail: unescape(body.replace(/<[^>]*>/g, "")).trim(),
    });
  }
  const within = (outer: Case, inner: Case): boolean =>
    inner.path.length > outer.path.length &&
    outer.path.every((name, index) => name === inner.path[index]);
  return cases.filter((outer) => {
    const children = cases.filter((inner) => within(outer, inner));
    return children.length === 0 ||
      outer.outcome === "failed" &&
        !children.some((child) => child.outcome === "failed");
  });
}

/** One line of meson's `testlog.json`. */
interface MesonTest {
  readonly name: string;
  readonly result: string;
  readonly stdout: string;
}

/**
 * Reads meson's own log: its JUnit file shows a program that timed out, or that
 * died after its last `ok`, as passed.
 *
 * @returns a case for each line of a program that speaks TAP, else one for the
 * program
 */
export function readMesonLog(log: string): Case[] {
  return log.trim().split("\n").filter(Boolean).flatMap((line) => {
    const test = JSON.parse(line) as MesonTest;
    const cases = readTap(test.name, test.stdout);
    const end: Case = {
      path: [test.name],
      outcome: test.result === "SKIP"
        ? "skipped"
        : ["OK", "EXPECTEDFAIL"].includes(test.result)
        ? "passed"
        : "failed",
      detail: test.result === "SKIP"
        ? test.stdout.replace(/^1\.\.0 # SKIP/im, "").trim()
        : `the program ended with ${test.result}`,
    };
    const untold = end.outcome === "failed" &&
      !cases.some((one) => one.outcome === "failed");
    return cases.length === 0 || untold ? [...cases, end] : cases;
  });
}

function readTap(program: string, text: string): Case[] {
  const pattern = /^(not )?ok\b *\d*(?: *-)? *(.*?) *(# *SKIP\b *(.*))?$/gim;
  return [...text.matchAll(pattern)].map(([, not, name, skip, reason]) => ({
    path: [program, name ?? ""],
    outcome: not ? "failed" : skip ? "skipped" : "passed",
    detail: reason ?? "",
  }));
}
