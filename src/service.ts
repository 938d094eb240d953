/**
 * Services: requests with names and types.
 *
 * @module
 */
import { kindOf } from "./arguments.ts";
import type { Connection } from "./connection.ts";
import {
  type IncomingRequest,
  RequestError,
  type RequestHandler,
  type RequestOptions,
} from "./request.ts";
import { formatIssues, type StandardSchema } from "./standard_schema.ts";

/**
 * One method of a service: what goes in and what comes out.
 *
 * @example
 * ```ts
 * import { type Method, service } from "machnet";
 * import { z } from "zod";
 *
 * const length: Method = { input: z.string(), output: z.number() };
 * console.log(service({ length }) !== undefined);
 * ```
 */
export interface Method {
  /** Schema of its argument; without it there is none. */
  readonly input?: StandardSchema | undefined;
  /** Schema of its result; without it there is none. */
  readonly output?: StandardSchema | undefined;
}

/**
 * The methods of a service by name, of at most 255 bytes.
 *
 * @example
 * ```ts
 * import { type Methods, service } from "machnet";
 * import { z } from "zod";
 *
 * const methods = {
 *   length: { input: z.string(), output: z.number() },
 *   ping: {},
 * } satisfies Methods;
 * const handler = service(methods).handler({
 *   length: (text) => text.length,
 *   ping: () => undefined,
 * });
 * console.log(typeof handler);
 * ```
 */
export interface Methods {
  /** A method. */
  readonly [name: string]: Method;
}

/**
 * How values become bytes.
 *
 * @example
 * ```ts
 * import { type Codec, service } from "machnet";
 * import { deserialize, serialize } from "node:v8";
 * import { z } from "zod";
 *
 * // Knows dates, maps and bytes, but only in the runtime that wrote it.
 * const codec: Codec = { encode: serialize, decode: deserialize };
 * const clock = service({ now: { output: z.date() } }, { codec });
 * console.log(typeof clock.handler({ now: () => new Date() }));
 * ```
 */
export interface Codec {
  /**
   * Encode a value.
   *
   * @param value An argument or a result; `undefined` where there is none.
   * @returns Its bytes.
   */
  readonly encode: (value: unknown) => Uint8Array;
  /**
   * Decode a value.
   *
   * @param bytes What the peer sent, whatever it is: a view that is valid during
   * the call.
   * @returns The value, which must not refer to the view.
   * @throws {Error} If they are not the bytes of a value.
   */
  readonly decode: (bytes: Uint8Array) => unknown;
}

/**
 * Options of {@linkcode service}.
 *
 * @example
 * ```ts
 * import { service, type ServiceOptions } from "machnet";
 * import { z } from "zod";
 *
 * // Nothing but bytes.
 * const options: ServiceOptions = {
 *   codec: {
 *     encode: (value) => value as Uint8Array,
 *     decode: (bytes) => bytes.slice(),
 *   },
 * };
 * const bytes = z.instanceof(Uint8Array);
 * const reverser = service({ reverse: { input: bytes, output: bytes } }, options);
 * console.log(typeof reverser.handler({ reverse: (one) => one.toReversed() }));
 * ```
 */
export interface ServiceOptions {
  /** How values become bytes, the same at both ends; JSON by default. */
  readonly codec?: Codec | undefined;
}

/**
 * Options of {@linkcode Service.handler} and {@linkcode Service.client}.
 *
 * @example
 * ```ts
 * import { service, type ValidateOptions } from "machnet";
 * import { z } from "zod";
 *
 * const options: ValidateOptions<true> = { validate: true };
 * const week = service({
 *   weekday: { input: z.coerce.date<string>(), output: z.int().min(0).max(6) },
 * });
 * // Checked, so that what was sent as a string arrives as a Date.
 * const handler = week.handler({ weekday: (date) => date.getDay() }, options);
 * console.log(typeof handler);
 * ```
 */
export interface ValidateOptions<Validated extends boolean> {
  /**
   * Whether what comes from the peer is checked against the schemas, and becomes
   * what they make of it. By default it is believed: a check of two fields takes
   * as long as the request.
   */
  readonly validate?: Validated | undefined;
}

/**
 * What is sent of a value with a schema.
 *
 * @example
 * ```ts
 * import type { Sent } from "machnet";
 * import { z } from "zod";
 *
 * const date = z.coerce.date<string>();
 * const sent: Sent<typeof date> = "2026-11-27";
 * console.log(date.parse(sent).getFullYear()); // 2026
 * ```
 */
export type Sent<Schema> = Schema extends StandardSchema<infer Input, unknown>
  ? Input
  : undefined;

/**
 * What is received of it: what was sent, or what validation makes of that.
 *
 * @example
 * ```ts
 * import type { Received } from "machnet";
 * import { z } from "zod";
 *
 * const date = z.coerce.date<string>();
 * const believed: Received<typeof date, false> = "2026-11-27";
 * const checked: Received<typeof date, true> = date.parse(believed);
 * console.log(checked.getFullYear()); // 2026
 * ```
 */
export type Received<Schema, Validated extends boolean> = Validated extends true
  ? Schema extends StandardSchema<unknown, infer Output> ? Output : undefined
  : Sent<Schema>;

/**
 * What a handler gets besides its argument.
 *
 * @example
 * ```ts
 * import { type CallContext, service } from "machnet";
 * import { z } from "zod";
 *
 * const pages = service({ read: { input: z.url(), output: z.string() } });
 *
 * async function read(url: string, { signal }: CallContext): Promise<string> {
 *   const response = await fetch(url, { signal }); // until the caller gives up
 *   return await response.text();
 * }
 * console.log(typeof pages.handler({ read }));
 * ```
 */
export type CallContext = Pick<IncomingRequest, "signal">;

/**
 * An implementation of each method.
 *
 * @example
 * ```ts
 * import { service, type ServiceHandlers } from "machnet";
 * import { z } from "zod";
 *
 * const methods = { count: { input: z.string(), output: z.number() } };
 * const seen = new Map<string, number>();
 * const handlers: ServiceHandlers<typeof methods> = {
 *   count(name) {
 *     seen.set(name, (seen.get(name) ?? 0) + 1);
 *     return seen.get(name)!;
 *   },
 * };
 * console.log(typeof service(methods).handler(handlers));
 * ```
 */
export type ServiceHandlers<
  Declared extends Methods,
  Validated extends boolean = false,
> = {
  readonly [Name in keyof Declared]: (
    input: Received<Declared[Name]["input"], Validated>,
    context: CallContext,
  ) =>
    | Sent<Declared[Name]["output"]>
    | PromiseLike<Sent<Declared[Name]["output"]>>;
};

/**
 * A function for each method, to call it at the peer.
 *
 * @example
 * ```ts
 * import { attach, service, type ServiceClient } from "machnet";
 * import { z } from "zod";
 *
 * const methods = {
 *   add: { input: z.tuple([z.number(), z.number()]), output: z.number() },
 * };
 *
 * async function sum(
 *   client: ServiceClient<typeof methods>,
 *   numbers: number[],
 * ): Promise<number> {
 *   let total = 0;
 *   for (const number of numbers) total = await client.add([total, number]);
 *   return total;
 * }
 *
 * await using channel = await attach();
 * await using connection = await channel.connect({
 *   hostname: "10.0.0.2",
 *   port: 888,
 * });
 * console.log(await sum(service(methods).client(connection), [1, 2, 3])); // 6
 * ```
 */
export type ServiceClient<
  Declared extends Methods,
  Validated extends boolean = false,
> = {
  readonly [Name in keyof Declared]: (
    ...values: undefined extends Sent<Declared[Name]["input"]>
      ? [input?: Sent<Declared[Name]["input"]>, options?: RequestOptions]
      : [input: Sent<Declared[Name]["input"]>, options?: RequestOptions]
  ) => Promise<Received<Declared[Name]["output"], Validated>>;
};

const NAME_BYTES_MAX = 255;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

const NOTHING = new Uint8Array(0);

const JSON_CODEC: Codec = {
  encode: (value) =>
    value === undefined ? NOTHING : encoder.encode(JSON.stringify(value)),
  decode: (bytes) =>
    bytes.length === 0 ? undefined : JSON.parse(decoder.decode(bytes)),
};

/**
 * A service: methods that a peer can call, with their types. Made by
 * {@linkcode service}, the same at both ends.
 *
 * @example
 * ```ts
 * import { Service, service } from "machnet";
 * import { z } from "zod";
 *
 * const store = service({ get: { input: z.string(), output: z.string() } });
 * console.log(store instanceof Service); // true
 * ```
 */
export class Service<Declared extends Methods> {
  readonly #methods: Declared;
  readonly #codec: Codec;

  /**
   * Declare a service, as {@linkcode service} does.
   *
   * @param methods The methods by name.
   * @param options How values travel.
   * @throws {TypeError} If there are no methods, or a schema is none.
   * @throws {RangeError} If a name has no bytes or too many.
   */
  constructor(methods: Declared, options: ServiceOptions = {}) {
    if (typeof methods !== "object" || methods === null) {
      throw new TypeError(
        `Cannot declare service: its methods are ${kindOf(methods)}`,
      );
    }
    for (const [name, { input, output }] of Object.entries(methods)) {
      const attempt = `Cannot declare method "${name}"`;
      const { length } = encoder.encode(name);
      if (length === 0 || length > NAME_BYTES_MAX) {
        throw new RangeError(
          `${attempt}: its name has ${length} bytes, not 1 to ${NAME_BYTES_MAX}`,
        );
      }
      for (const schema of [input, output]) {
        if (schema === undefined || schema["~standard"]?.version === 1) {
          continue;
        }
        throw new TypeError(`${attempt}: a schema is no Standard Schema`);
      }
    }
    this.#methods = methods;
    this.#codec = options.codec ?? JSON_CODEC;
  }

  /**
   * Implement the service.
   *
   * What a handler throws reaches the caller as with `serve()`. Where the caller
   * is to blame the code is UNKNOWN_METHOD or INVALID_INPUT.
   *
   * @param handlers A function for each method.
   * @param options Whether arguments are checked.
   * @returns What `connection.serve()` takes.
   * @throws {TypeError} If a method has no handler, or a handler no method.
   *
   * @example
   * ```ts
   * import { attach, service } from "machnet";
   * import { z } from "zod";
   *
   * const calculator = service({
   *   add: { input: z.tuple([z.number(), z.number()]), output: z.number() },
   * });
   * const handler = calculator.handler({ add: ([a, b]) => a + b }, {
   *   validate: true,
   * });
   *
   * await using channel = await attach();
   * await using listener = await channel.listen({ port: 888 });
   * for await (const connection of listener) connection.serve(handler);
   * ```
   */
  handler<const Validated extends boolean = false>(
    handlers: ServiceHandlers<Declared, Validated>,
    options?: ValidateOptions<Validated>,
  ): RequestHandler {
    for (const name of Object.keys({ ...this.#methods, ...handlers })) {
      const what = !Object.hasOwn(this.#methods, name)
        ? "the service has no such method"
        : typeof handlers[name] !== "function"
        ? "no function to handle it"
        : undefined;
      if (what === undefined) continue;
      throw new TypeError(`Cannot handle method "${name}": ${what}`);
    }
    return (request) => {
      const { name, payload } = split(request.data);
      const attempt = `Cannot call "${name}"`;
      if (!Object.hasOwn(this.#methods, name)) {
        throw new RequestError(
          "UNKNOWN_METHOD",
          `${attempt}: the service has no such method`,
        );
      }
      const handle = handlers[name] as (
        input: unknown,
        context: CallContext,
      ) => unknown;
      const schema = options?.validate ? this.#methods[name]!.input : undefined;
      const input = this.#decode(payload, schema, "INVALID_INPUT", attempt);
      return after(
        after(input, (value) => handle.call(handlers, value, request)),
        (value) => this.#encode(value, attempt),
      );
    };
  }

  /**
   * Call the service at the other end of a connection.
   *
   * Calls reject as `connection.request()` does, with INVALID_OUTPUT if the
   * result is checked and is not what the schema says, and with a TypeError if
   * the codec cannot encode the input.
   *
   * @param connection The connection.
   * @param options Whether results are checked.
   * @returns An object with a function for each method.
   *
   * @example
   * ```ts
   * import { attach, service } from "machnet";
   * import { z } from "zod";
   *
   * const calculator = service({
   *   add: { input: z.tuple([z.number(), z.number()]), output: z.number() },
   * });
   *
   * await using channel = await attach();
   * await using connection = await channel.connect({
   *   hostname: "10.0.0.2",
   *   port: 888,
   * });
   * const client = calculator.client(connection);
   * console.log(await client.add([1, 2], { timeout: 1000 })); // 3
   * ```
   */
  client<const Validated extends boolean = false>(
    connection: Pick<Connection, "request" | "tryAllocate">,
    options?: ValidateOptions<Validated>,
  ): ServiceClient<Declared, Validated> {
    const entries = Object.entries(this.#methods).map(([name, { output }]) => {
      const schema = options?.validate ? output : undefined;
      const attempt = `Cannot use the result of "${name}"`;
      const head = headOf(name);
      const call = async (
        input: unknown,
        limits?: RequestOptions,
      ): Promise<unknown> => {
        const payload = this.#encode(input, `Cannot call "${name}"`);
        // Written where it is sent from, if there is room for it now.
        using room = connection.tryAllocate(head.length + payload.length);
        const bytes = join(head, payload, room?.data);
        using reply = await connection.request(room ?? bytes, limits);
        return await this.#decode(
          reply.data,
          schema,
          "INVALID_OUTPUT",
          attempt,
        );
      };
      return [name, call];
    });
    return Object.fromEntries(entries);
  }

  #encode(value: unknown, attempt: string): Uint8Array {
    try {
      return this.#codec.encode(value);
    } catch (cause) {
      throw new TypeError(`${attempt}: ${reasonOf(cause)}`, { cause });
    }
  }

  #decode(
    bytes: Uint8Array,
    schema: StandardSchema | undefined,
    code: string,
    attempt: string,
  ): unknown {
    let value: unknown;
    try {
      value = this.#codec.decode(bytes);
    } catch (cause) {
      throw new RequestError(code, `${attempt}: ${reasonOf(cause)}`, { cause });
    }
    if (schema === undefined) return value;
    return after(schema["~standard"].validate(value), (result) => {
      if (result.issues === undefined) return result.value;
      const why = formatIssues(result.issues);
      throw new RequestError(code, `${attempt}: ${why}`, {
        cause: result.issues,
      });
    });
  }
}

/**
 * Declare a service: once, in a file that both ends import.
 *
 * Schemas are those of zod, Valibot, ArkType or any other library that follows
 * Standard Schema. Values travel as JSON, so that they arrive as what
 * `JSON.parse()` makes of them, unless the options have another codec.
 *
 * @param methods The methods by name.
 * @param options How values travel.
 * @returns The service.
 * @throws {TypeError} If there are no methods, or a schema is none.
 * @throws {RangeError} If a name has no bytes or too many.
 *
 * @example
 * ```ts
 * import { service } from "machnet";
 * import { z } from "zod";
 *
 * const store = service({
 *   get: {
 *     input: z.object({ key: z.string() }),
 *     output: z.object({ value: z.string().nullable() }),
 *   },
 *   put: { input: z.object({ key: z.string(), value: z.string() }) },
 * });
 *
 * const values = new Map<string, string>();
 * const handler = store.handler({
 *   get: ({ key }) => ({ value: values.get(key) ?? null }),
 *   put: ({ key, value }) => void values.set(key, value),
 * });
 * console.log(typeof handler); // what connection.serve() takes
 * ```
 */
export function service<const Declared extends Methods>(
  methods: Declared,
  options?: ServiceOptions,
): Service<Declared> {
  return new Service(methods, options);
}

/** Go on with a value, at once if it is there. */
function after<Value, Result>(
  value: Value | PromiseLike<Value>,
  next: (value: Value) => Result,
): Result | PromiseLike<Awaited<Result>>;
function after(value: unknown, next: (value: unknown) => unknown): unknown {
  return value instanceof Object && "then" in value
    ? Promise.resolve(value).then(next)
    : next(value);
}

// A call: the length of the method's name in a byte, the name, the argument.

function headOf(name: string): Uint8Array {
  const bytes = encoder.encode(name);
  return join(new Uint8Array([bytes.length]), bytes);
}

function join(
  head: Uint8Array,
  rest: Uint8Array,
  bytes: Uint8Array = new Uint8Array(head.length + rest.length),
): Uint8Array {
  bytes.set(head);
  bytes.set(rest, head.length);
  return bytes;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function split(bytes: Uint8Array): { name: string; payload: Uint8Array } {
  const end = 1 + (bytes[0] ?? 0);
  try {
    const name = decoder.decode(bytes.subarray(1, end));
    return { name, payload: bytes.subarray(end) };
  } catch (cause) {
    throw new RequestError("UNKNOWN_METHOD", "Cannot read name of method", {
      cause,
    });
  }
}
