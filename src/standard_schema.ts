/**
 * Schemas of whatever library: the part of https://standardschema.dev (version
 * 1) that is needed here. It is made to be copied, so that nothing depends on it.
 *
 * @module
 */

/**
 * A schema as zod, Valibot, ArkType and others make them.
 *
 * @example
 * ```ts
 * import type { StandardSchema } from "machnet";
 * import { z } from "zod";
 *
 * const schema: StandardSchema<string, number> = z.coerce.number<string>();
 * const result = await schema["~standard"].validate("7");
 * console.log(result.issues ?? result.value);
 * ```
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What the interface consists of. */
  readonly "~standard": {
    /** Version of the interface. */
    readonly version: 1;
    /** Name of the library. */
    readonly vendor: string;
    /** Check a value, and make of it what the schema says. */
    readonly validate: (
      value: unknown,
    ) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Nothing at run time. */
    readonly types?:
      | { readonly input: Input; readonly output: Output }
      | undefined;
  };
}

/**
 * What became of a value: it, or what is wrong with it.
 *
 * @example
 * ```ts
 * import type { StandardResult } from "machnet";
 * import { z } from "zod";
 *
 * const result: StandardResult<number> | Promise<StandardResult<number>> = z
 *   .number()["~standard"].validate("seven");
 * const { issues } = await result;
 * console.log(issues?.length); // 1
 * ```
 */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/**
 * Something that is wrong with a value.
 *
 * @example
 * ```ts
 * import type { StandardIssue } from "machnet";
 * import { z } from "zod";
 *
 * const schema = z.object({ age: z.number() });
 * const { issues } = await schema["~standard"].validate({ age: "seven" });
 * const [issue]: readonly StandardIssue[] = issues!;
 * console.log(issue!.path); // ["age"]
 * ```
 */
export interface StandardIssue {
  /** What it is. */
  readonly message: string;
  /** Where it is. */
  readonly path?:
    | readonly (PropertyKey | { readonly key: PropertyKey })[]
    | undefined;
}

/** Issues in a line. */
export function formatIssues(issues: readonly StandardIssue[]): string {
  return issues.map(({ message, path = [] }) => {
    const keys = path.map((step) =>
      String(typeof step === "object" ? step.key : step)
    );
    return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
  }).join("; ");
}
