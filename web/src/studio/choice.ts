import { useCallback, useState } from "react";
import type { Preset, Recipe } from "../api/types";

/** What is to be made: a preset, or a recipe of one's own. */
export interface Choice {
  title: string;
  description: string;
  recipe: Recipe;
  /** Name of the preset; null: it is one's own. */
  preset: string | null;
}

const PRESET_KEY = "pixelmill.preset";
const RECIPE_KEY = "pixelmill.recipe";
/** No preset's name: those are made of letters, digits and dashes. */
export const OWN = "(own)";
/** Shown while nobody has chosen: several quick variants tell more than one. */
const FIRST_PRESET = "instagram";
const FIRST_RECIPE: Recipe = {
  variants: [
    { name: "large", steps: [{ op: "resize", width: 1600 }], output: { format: "webp", quality: 82 } },
    { name: "small", steps: [{ op: "resize", width: 640 }], output: { format: "webp", quality: 82 } },
  ],
};

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It still holds for this visit.
  }
}

function readRecipe(): Recipe {
  try {
    const value = JSON.parse(read(RECIPE_KEY) ?? "null") as Recipe | null;
    return value?.variants.every((variant) => typeof variant.name === "string") ? value : FIRST_RECIPE;
  } catch {
    return FIRST_RECIPE;
  }
}

/** The choice, kept from visit to visit. Undefined until the presets are known. */
export function useChoice(presets: readonly Preset[]) {
  const [name, setName] = useState(() => read(PRESET_KEY) ?? FIRST_PRESET);
  const [own, setOwn] = useState(readRecipe);

  const choose = useCallback((next: string) => {
    setName(next);
    write(PRESET_KEY, next);
  }, []);
  const changeOwn = useCallback(
    (recipe: Recipe) => {
      setOwn(recipe);
      write(RECIPE_KEY, JSON.stringify(recipe));
      choose(OWN);
    },
    [choose],
  );

  const preset = presets.find((one) => one.name === name) ?? presets[0];
  let choice: Choice | undefined;
  if (name === OWN && presets.length > 0)
    choice = { title: "Your own", description: "A recipe made by you, kept in this browser.", recipe: own, preset: null };
  else if (preset) choice = { ...preset, preset: preset.name };
  return { choice, choose, changeOwn };
}
