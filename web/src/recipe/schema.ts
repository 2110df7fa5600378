/**
 * What can stand in a recipe, read from the JSON Schema that the service makes from the very models that check it: a
 * step that is added there has its controls here.
 */

export interface Schema {
  $ref?: string;
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  discriminator?: { mapping: Record<string, string> };
  $defs?: Record<string, Schema>;
}

/** How one value is asked for. */
export type Control =
  | { kind: "number"; whole: boolean; min?: number; max?: number; words: string[] }
  | { kind: "choice"; options: string[] }
  | { kind: "switch" }
  | { kind: "colour" }
  | { kind: "text" }
  | { kind: "set"; options: string[] }
  /** Anything deeper is written as JSON. */
  | { kind: "json" };

export interface Field {
  key: string;
  label: string;
  help: string;
  required: boolean;
  /** What holds when nothing is given; null when that depends. */
  standard: unknown;
  control: Control;
}

export interface StepKind {
  op: string;
  help: string;
  fields: Field[];
}

export interface RecipeForm {
  steps: StepKind[];
  output: Field[];
}

export function readForm(root: Schema): RecipeForm {
  const variant = follow(root, root.properties?.["variants"]?.items ?? {});
  const mapping = variant.properties?.["steps"]?.items?.discriminator?.mapping ?? {};
  const steps = Object.entries(mapping)
    .map(([op, ref]): StepKind => {
      const step = follow(root, { $ref: ref });
      return { op, help: plain(step.description ?? ""), fields: fieldsOf(root, step) };
    })
    .toSorted((a, b) => a.op.localeCompare(b.op));
  return {
    steps,
    output: fieldsOf(root, follow(root, variant.properties?.["output"] ?? {})),
  };
}

function fieldsOf(root: Schema, object: Schema): Field[] {
  return Object.entries(object.properties ?? {})
    .filter(([key]) => key !== "op")
    .map(([key, schema]) => ({
      key,
      label: words(key),
      help: plain(schema.description ?? ""),
      required: object.required?.includes(key) ?? false,
      standard: schema.default ?? null,
      control: controlOf(root, schema),
    }));
}

function controlOf(root: Schema, schema: Schema): Control {
  const kinds = (schema.anyOf ?? [schema]).map((kind) => follow(root, kind)).filter((kind) => kind.type !== "null");
  const options = kinds.flatMap((kind) => kind.enum ?? (kind.const === undefined ? [] : [kind.const])).map(String);
  const number = kinds.find((kind) => kind.type === "integer" || kind.type === "number");
  if (number) {
    const min = number.minimum ?? number.exclusiveMinimum;
    return {
      kind: "number",
      whole: number.type === "integer",
      ...(min === undefined ? {} : { min }),
      ...(number.maximum === undefined ? {} : { max: number.maximum }),
      words: options,
    };
  }
  const [first] = kinds;
  if (options.length > 0 && kinds.every((kind) => kind.enum ?? kind.const !== undefined)) return { kind: "choice", options };
  if (first?.type === "boolean") return { kind: "switch" };
  if (first?.type === "array" && first.items?.enum) return { kind: "set", options: first.items.enum.map(String) };
  if (kinds.length === 1 && first?.type === "string") {
    if (typeof schema.default === "string" && /^#[0-9a-f]{6}$/i.test(schema.default)) return { kind: "colour" };
    return { kind: "text" };
  }
  return { kind: "json" };
}

function follow(root: Schema, schema: Schema): Schema {
  if (!schema.$ref) return schema;
  const name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
  return { ...root.$defs?.[name], ...schema };
}

/** `maxBytes` → `Max bytes`. */
export function words(key: string): string {
  const spaced = key.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`).replaceAll("-", " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

const plain = (text: string) => text.replaceAll("`", "");
