import { expect, test } from "vitest";
import { curl } from "./curl";
import { addStep, addVariant, moveStep, tidy, withValue, withVariant } from "./edit";
import { readForm, type Schema, words } from "./schema";

// As pydantic writes it.
const SCHEMA: Schema = {
  properties: { variants: { items: { $ref: "#/$defs/Variant" } } },
  $defs: {
    Variant: {
      properties: {
        name: { type: "string" },
        steps: { items: { discriminator: { mapping: { resize: "#/$defs/Resize", blur: "#/$defs/Blur" } } } },
        output: { $ref: "#/$defs/Output", default: {} },
      },
    },
    Blur: {
      description: "Gaussian blur by `sigma`.",
      required: ["sigma"],
      properties: { op: { const: "blur" }, sigma: { type: "number", minimum: 0.3, maximum: 250 } },
    },
    Resize: {
      properties: {
        width: { anyOf: [{ type: "integer", minimum: 1, maximum: 65535 }, { type: "null" }], default: null },
        fit: { enum: ["cover", "inside"], type: "string", default: "inside" },
        enlarge: { type: "boolean", default: false },
        focal: { anyOf: [{ $ref: "#/$defs/Point" }, { type: "null" }], default: null },
        background: { type: "string", default: "#ffffff" },
      },
    },
    Point: { type: "object", properties: { x: { type: "number" } } },
    Output: {
      properties: {
        format: { anyOf: [{ enum: ["jpeg", "png"], type: "string" }, { enum: ["auto"], type: "string" }], default: "jpeg" },
        quality: {
          anyOf: [{ type: "integer", minimum: 1, maximum: 100 }, { const: "auto", type: "string" }, { type: "null" }],
          default: null,
        },
        formats: { anyOf: [{ items: { enum: ["jpeg", "avif"], type: "string" }, type: "array" }, { type: "null" }], default: null },
      },
    },
  },
};
const form = readForm(SCHEMA);
const kind = (op: string) => form.steps.find((step) => step.op === op)!;

test("each value has the control that fits it", () => {
  expect(form.steps.map(({ op }) => op)).toEqual(["blur", "resize"]);
  expect(kind("blur").help).toBe("Gaussian blur by sigma.");
  expect(kind("blur").fields[0]).toMatchObject({ key: "sigma", required: true, control: { kind: "number", whole: false, min: 0.3 } });
  expect(kind("resize").fields.map(({ control }) => control.kind)).toEqual(["number", "choice", "switch", "json", "colour"]);
  expect(form.output.map(({ control }) => control)).toEqual([
    { kind: "choice", options: ["jpeg", "png", "auto"] },
    { kind: "number", whole: true, min: 1, max: 100, words: ["auto"] },
    { kind: "set", options: ["jpeg", "avif"] },
  ]);
});

test("keys become words", () => {
  expect(words("maxBytes")).toBe("Max bytes");
  expect(words("dpr")).toBe("Dpr");
});

test("steps are added with what they need, and moved", () => {
  const { steps } = moveStep(addStep(addStep({ name: "a" }, kind("resize")), kind("blur")), 1, -1);
  expect(steps).toEqual([{ op: "blur", sigma: 10 }, { op: "resize" }]);
  expect(moveStep({ name: "a", steps: steps! }, 0, -1).steps).toEqual(steps);
});

test("each new variant has a name of its own", () => {
  let recipe = addVariant(addVariant({ variants: [] }));
  recipe = addVariant(withVariant(recipe, 0, { name: "variant-3" }));
  expect(new Set(recipe.variants.map(({ name }) => name)).size).toBe(3);
});

test("what holds anyway is not written", () => {
  const recipe = {
    variants: [
      {
        name: "a",
        steps: [{ op: "resize", width: 80, fit: "inside", enlarge: true }],
        output: { format: "jpeg", quality: null as never },
      },
    ],
  };
  expect(tidy(recipe, form).variants[0]).toEqual({
    name: "a",
    steps: [{ op: "resize", width: 80, enlarge: true }],
    output: { format: "jpeg" },
  });
  expect(withValue({ a: 1, b: 2 }, "a", undefined)).toEqual({ b: 2 });
});

test("a request for the terminal, names and quotes as the shell takes them", () => {
  expect(curl("http://a:3000", ["x.jpg"], { preset: "web" })).toBe(
    "curl http://a:3000/process-images \\\n  -F images=@x.jpg \\\n  -F preset=web",
  );
  expect(curl("http://a", ["it's; me.jpg"], { recipe: { variants: [] } })).toBe(
    `curl http://a/process-images \\\n  -F 'images=@"it'\\''s; me.jpg"' \\\n  -F 'recipe={"variants":[]}'`,
  );
});
