import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { getRecipeSchema } from "../api/client";
import type { Recipe } from "../api/types";
import { tidy } from "./edit";
import { type RecipeForm, readForm } from "./schema";

const options = {
  queryKey: ["recipe-form"],
  queryFn: async ({ signal }: { signal: AbortSignal }): Promise<RecipeForm> => readForm(await getRecipeSchema(signal)),
  staleTime: Infinity,
};

export function useRecipeForm() {
  return useQuery(options);
}

/** A recipe as a person would write it, or as it is where the service does not describe its recipes. */
export function useTidy(): (recipe: Recipe) => Promise<Recipe> {
  const client = useQueryClient();
  return useCallback(
    (recipe) =>
      client.fetchQuery(options).then(
        (form) => tidy(recipe, form),
        () => recipe,
      ),
    [client],
  );
}
