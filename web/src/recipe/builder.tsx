import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useContext, useEffect, useId, useState } from "react";
import { ApiError, validateRecipe } from "../api/client";
import type { Recipe, RecipeVariant } from "../api/types";
import { count } from "../lib/format";
import { Button } from "../ui/button";
import { ArrowIcon, CrossIcon, PlusIcon } from "../ui/icons";
import { addStep, addVariant, moveStep, withoutStep, withoutVariant, withStep, withVariant } from "./edit";
import { BOX, type Fault, FaultContext, Fields, words } from "./fields";
import type { RecipeForm } from "./schema";
import { useRecipeForm } from "./use-form";

interface Props {
  recipe: Recipe;
  onChange: (recipe: Recipe) => void;
  /** Told whenever it changes whether the service would take the recipe. */
  onValid: (valid: boolean) => void;
  /** Which variant is open; -1: none. */
  open: number;
  onOpen: (index: number) => void;
}

/** A recipe made by hand: its variants, each with its steps in order and the file it becomes. */
export function Builder({ recipe, onChange, onValid, open, onOpen }: Props) {
  const { data: form, error } = useRecipeForm();
  const fault = useFault(recipe, onValid);
  if (error)
    return <p className="text-ink-soft">This service does not describe its steps. Write the recipe under “JSON and curl”.</p>;
  if (!form) return <div className="min-h-60" aria-busy="true" />;

  return (
    <FaultContext value={fault}>
      <div className="space-y-3">
        {recipe.variants.map((variant, index) => (
          <VariantCard
            // Names change while they are written, so the place is the identity.
            key={index}
            form={form}
            variant={variant}
            index={index}
            open={open === index}
            onOpen={() => onOpen(open === index ? -1 : index)}
            onChange={(change) => onChange(withVariant(recipe, index, change))}
            onRemove={recipe.variants.length > 1 ? () => onChange(withoutVariant(recipe, index)) : null}
          />
        ))}
        <Button
          onClick={() => {
            onChange(addVariant(recipe));
            onOpen(recipe.variants.length);
          }}
        >
          <PlusIcon />
          Add a variant
        </Button>
        <p role="status" className="min-h-6 text-sm leading-snug text-bad">
          {fault && (fault.detail.includes(fault.pointer) ? fault.detail : `${fault.detail} (at ${fault.pointer})`)}
        </p>
      </div>
    </FaultContext>
  );
}

/** What the service finds wrong with the recipe, asked a moment after the last change. */
function useFault(recipe: Recipe, onValid: (valid: boolean) => void): Fault | null {
  const text = JSON.stringify(recipe);
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 300);
    return () => clearTimeout(timer);
  }, [text]);
  const { error } = useQuery({
    queryKey: ["validate", settled],
    queryFn: ({ signal }) => validateRecipe(JSON.parse(settled) as Recipe, signal),
    staleTime: Infinity,
    placeholderData: (before) => before,
  });
  const fault =
    error instanceof ApiError && typeof error.problem["pointer"] === "string"
      ? { pointer: error.problem["pointer"], detail: error.message }
      : null;
  const valid = fault === null;
  useEffect(() => onValid(valid), [valid, onValid]);
  return fault;
}

interface VariantProps {
  form: RecipeForm;
  variant: RecipeVariant;
  index: number;
  open: boolean;
  onOpen: () => void;
  onChange: (variant: RecipeVariant) => void;
  onRemove: (() => void) | null;
}

function VariantCard({ form, variant, index, open, onOpen, onChange, onRemove }: VariantProps) {
  const id = useId();
  const fault = useContext(FaultContext);
  const pointer = `/variants/${index}`;
  const wrong = fault !== null && (fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`));
  const steps = variant.steps ?? [];
  return (
    <section
      aria-label={`Variant ${variant.name}`}
      className={`rounded-xl border bg-surface ${wrong ? "border-bad" : "border-line"}`}
    >
      <h3 className="flex">
        <button
          type="button"
          aria-expanded={open}
          aria-controls={`${id}-body`}
          onClick={onOpen}
          className="flex min-h-11 min-w-0 flex-1 items-baseline gap-2 rounded-xl px-4 py-2.5 text-left"
        >
          <span className="truncate font-semibold">{variant.name || "without a name"}</span>
          <span className="figures ml-auto shrink-0 text-sm text-ink-faint">
            {count(steps.length, "step")}, {variant.output?.format ?? "jpeg"}
          </span>
        </button>
      </h3>
      {open && (
        <div id={`${id}-body`} className="space-y-4 border-t border-line px-4 py-4">
          <div className="flex items-end gap-2">
            <div className="min-w-0 flex-1">
              <label htmlFor={`${id}-name`} className="mb-1 block text-sm text-ink-soft">
                Name
              </label>
              <input
                id={`${id}-name`}
                type="text"
                value={variant.name}
                onChange={(event) => onChange({ ...variant, name: event.target.value })}
                spellCheck={false}
                aria-invalid={fault?.pointer === `${pointer}/name`}
                className={BOX}
              />
            </div>
            {onRemove && (
              <Button look="quiet" onClick={onRemove}>
                Remove
              </Button>
            )}
          </div>
          <ol className="space-y-3" aria-label={`Steps of ${variant.name}`}>
            {steps.map((step, place) => {
              const kind = form.steps.find(({ op }) => op === step.op);
              return (
                <li key={`${place} ${step.op}`} className="rounded-lg bg-paper p-3 ring-1 ring-line">
                  <div className="mb-2 flex items-center gap-1">
                    <p className="min-w-0 flex-1 text-[0.9375rem] font-semibold">
                      {place + 1}. {words(step.op)}
                    </p>
                    <Small
                      label={`Move ${step.op} up`}
                      disabled={place === 0}
                      onClick={() => onChange(moveStep(variant, place, -1))}
                    >
                      <ArrowIcon width={16} height={16} className="-rotate-90" />
                    </Small>
                    <Small
                      label={`Move ${step.op} down`}
                      disabled={place === steps.length - 1}
                      onClick={() => onChange(moveStep(variant, place, 1))}
                    >
                      <ArrowIcon width={16} height={16} className="rotate-90" />
                    </Small>
                    <Small label={`Remove ${step.op}`} onClick={() => onChange(withoutStep(variant, place))}>
                      <CrossIcon width={16} height={16} />
                    </Small>
                  </div>
                  {kind?.help && <p className="mb-2 text-sm leading-snug text-ink-faint">{kind.help}</p>}
                  <Fields
                    fields={kind?.fields ?? []}
                    value={step}
                    pointer={`${pointer}/steps/${place}`}
                    onChange={(next) => onChange(withStep(variant, place, next))}
                  />
                </li>
              );
            })}
          </ol>
          <div>
            <label htmlFor={`${id}-add`} className="mb-1 block text-sm text-ink-soft">
              Add a step
            </label>
            <select
              id={`${id}-add`}
              value=""
              onChange={(event) => {
                const kind = form.steps.find(({ op }) => op === event.target.value);
                if (kind) onChange(addStep(variant, kind));
              }}
              className={BOX}
            >
              <option value="">Choose…</option>
              {form.steps.map((kind) => (
                <option key={kind.op} value={kind.op} title={kind.help}>
                  {words(kind.op)}
                </option>
              ))}
            </select>
          </div>
          <fieldset>
            <legend className="mb-2 text-[0.9375rem] font-semibold">The file it becomes</legend>
            <Fields
              fields={form.output}
              value={variant.output ?? {}}
              pointer={`${pointer}/output`}
              onChange={(output) => onChange({ ...variant, output })}
            />
          </fieldset>
        </div>
      )}
    </section>
  );
}

function Small({ label, children, ...props }: { label: string; children: ReactNode; disabled?: boolean; onClick: () => void }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className="grid size-9 place-items-center rounded-md text-ink-soft hover:not-disabled:bg-sunken hover:not-disabled:text-ink disabled:opacity-35"
      {...props}
    >
      {children}
    </button>
  );
}
