import type { Recipe, RecipeVariant, Step } from "../api/types";
import type { StepKind } from "./schema";

/** Changes to a recipe: each gives a new one. */

const replace = <T>(list: readonly T[], index: number, value: T): T[] => list.map((old, i) => (i === index ? value : old));

export function withVariant(recipe: Recipe, index: number, change: Partial<RecipeVariant>): Recipe {
  const variant = recipe.variants[index];
  if (!variant) return recipe;
  return { ...recipe, variants: replace(recipe.variants, index, { ...variant, ...change }) };
}

export function withoutVariant(recipe: Recipe, index: number): Recipe {
  return { ...recipe, variants: recipe.variants.filter((_, i) => i !== index) };
}

export function addVariant(recipe: Recipe): Recipe {
  const names = new Set(recipe.variants.map(({ name }) => name));
  let number = recipe.variants.length + 1;
  while (names.has(`variant-${number}`)) number += 1;
  const variant = { name: `variant-${number}`, steps: [{ op: "resize", width: 1200 }], output: { format: "jpeg" } };
  return { ...recipe, variants: [...recipe.variants, variant] };
}

export function withStep(variant: RecipeVariant, index: number, step: Step): RecipeVariant {
  return { ...variant, steps: replace(variant.steps ?? [], index, step) };
}

export function withoutStep(variant: RecipeVariant, index: number): RecipeVariant {
  return { ...variant, steps: (variant.steps ?? []).filter((_, i) => i !== index) };
}

export function moveStep(variant: RecipeVariant, index: number, by: -1 | 1): RecipeVariant {
  const steps = [...(variant.steps ?? [])];
  const other = index + by;
  const [a, b] = [steps[index], steps[other]];
  if (!a || !b) return variant;
  steps[index] = b;
  steps[other] = a;
  return { ...variant, steps };
}

/** A new step; what must be given starts at a value that can be used. */
export function addStep(variant: RecipeVariant, kind: StepKind): RecipeVariant {
  const step: Step = { op: kind.op };
  for (const { key, required, control } of kind.fields) {
    if (!required) continue;
    if (control.kind === "number") step[key] = Math.max(control.min ?? 1, Math.min(control.max ?? 1000, FIRST[key] ?? 10));
    else if (control.kind === "choice") step[key] = control.options[0];
    else if (control.kind === "text") step[key] = FIRST_TEXT;
    else if (control.kind === "json") step[key] = [];
  }
  return { ...variant, steps: [...(variant.steps ?? []), step] };
}

const FIRST: Record<string, number> = { width: 800, height: 600, angle: 90 };
const FIRST_TEXT = "Text";

/** An object with one value more, or, for `undefined`, without it. */
export function withValue<T extends object>(object: T, key: string, value: unknown): T {
  const next = { ...object } as Record<string, unknown>;
  if (value === undefined) delete next[key];
  else next[key] = value;
  return next as T;
}

/** The recipe without what holds anyway: as a person would write it. */
export function tidy(recipe: Recipe, standards: { steps: readonly StepKind[]; output: StepKind["fields"] }): Recipe {
  const strip = <T extends object>(object: T, fields: StepKind["fields"]): T => {
    let next = object;
    for (const { key, standard } of fields) {
      const value = (next as Record<string, unknown>)[key];
      if (value === null || (value !== undefined && JSON.stringify(value) === JSON.stringify(standard) && key !== "format"))
        next = withValue(next, key, undefined);
    }
    return next;
  };
  return {
    ...recipe,
    variants: recipe.variants.map((variant) => ({
      name: variant.name,
      steps: (variant.steps ?? []).map((step) => strip(step, standards.steps.find(({ op }) => op === step.op)?.fields ?? [])),
      output: strip(variant.output ?? {}, standards.output),
    })),
  };
}
