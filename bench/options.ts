/** The command lines of the programs here. */
import process from "node:process";
import { parseArgs } from "#std/cli/parse_args";

/** What a program's command line may say. */
export interface CommandLine<Text extends string, Flag extends string> {
  /** What the program does, in a sentence. */
  readonly purpose: string;
  /** Options with a value, by name: what the value means. */
  readonly text?: Readonly<Record<Text, string>>;
  /** Options without one: what they do. */
  readonly flags?: Readonly<Record<Flag, string>>;
  /** What may be chosen with arguments that are no options; all by default. */
  readonly parts?: readonly string[];
}

/** What a command line says. */
export type Options<Text extends string, Flag extends string> =
  & { readonly [Name in Text]?: string }
  & { readonly [Name in Flag]: boolean }
  & { readonly parts: readonly string[] };

/**
 * Read this process's command line. With `--help` it is explained, and the
 * process ends; it fails with a line on stderr where the command line says
 * something else than it may.
 */
export function readOptions<
  Text extends string = never,
  Flag extends string = never,
>(line: CommandLine<Text, Flag>): Options<Text, Flag> {
  const { text = {}, flags = {}, parts = [] } = line;
  const { _: given, help, ...options } = parseArgs(process.argv.slice(2), {
    string: Object.keys(text),
    boolean: [...Object.keys(flags), "help"],
    unknown(argument, key) {
      if (key === undefined) return true;
      return refuse(`there is no option ${argument.replace(/=.*/, "")}`);
    },
  });
  if (help) {
    console.log(explain(line));
    process.exit();
  }
  const unknown = given.find((part) => !parts.includes(`${part}`));
  if (unknown !== undefined) {
    refuse(
      parts.length === 0
        ? `it takes options only, not ${unknown}`
        : `there is no ${unknown}, but ${parts.join(", ")}`,
    );
  }
  const said: unknown = { ...options, parts: given.map(String) };
  return said as Options<Text, Flag>;
}

function refuse(why: string): never {
  console.error(`Cannot run ${process.argv[1]}: ${why}; see --help`);
  process.exit(1);
}

function explain(
  { purpose, text = {}, flags = {}, parts = [] }: CommandLine<string, string>,
): string {
  const options = [
    ...Object.entries<string>(text).map(([name, what]) =>
      [`--${name} ...`, what] as const
    ),
    ...Object.entries<string>(flags).map(([name, what]) =>
      [`--${name}`, what] as const
    ),
    ["--help", "print this"] as const,
  ];
  const width = Math.max(...options.map(([name]) => name.length));
  return [
    purpose,
    "",
    ...options.map(([name, what]) => `  ${name.padEnd(width)}  ${what}`),
    ...parts.length === 0 ? [] : [
      "",
      `It measures the parts that are named, or all: ${parts.join(", ")}`,
    ],
  ].join("\n");
}
