import { useEffect, useState } from "react";
import { ApiError, previewRecipe } from "../api/client";
import type { Recipe, RecipeVariant, Variant } from "../api/types";
import { Compare } from "../batch/compare";
import { isWhole } from "../batch/whole";
import { bytes, formatName, saved } from "../lib/format";

interface Props {
  /** The photo that it is tried on; null: a sample. */
  photo: File | null;
  variant: RecipeVariant;
  /** The service takes the recipe. */
  valid: boolean;
}

/** Milliseconds after the last change. */
const SETTLE = 400;
const SAMPLE = "/samples/field.jpg";

/** One variant of the recipe, really made of the photo by the service: anew after each change, and only the newest. */
export function Preview({ photo, variant, valid }: Props) {
  const before = usePicture(photo);
  const { made, busy, error } = useMade(before?.file ?? null, variant, valid);
  const whole = made && before?.drawn && isWhole(before, made);
  return (
    <section aria-label="Preview">
      <div className="mb-1 flex items-baseline justify-between gap-x-4 lg:mb-2">
        <h2 className="font-semibold tracking-tight lg:text-lg">Preview</h2>
        <p className="min-w-0 truncate text-sm text-ink-faint">{photo ? photo.name : "on a sample, until you add a photo"}</p>
      </div>
      <div
        className={`relative grid h-[32dvh] min-h-44 overflow-hidden rounded-2xl bg-mat ring-1 ring-line transition-opacity lg:h-[30rem] ${(busy || !valid) && made ? "opacity-60" : ""}`}
        aria-busy={busy}
      >
        {made ? (
          <Compare variant={made} before={whole ? before.url : null} />
        ) : (
          <span className={busy ? "motion-safe:animate-breathe bg-surface/60" : ""} />
        )}
      </div>
      <p role="status" className={`figures mt-1 min-h-[2lh] text-sm leading-snug lg:mt-2 lg:text-[0.9375rem] ${error && valid ? "text-bad" : "text-ink-soft"}`}>
        {!valid ? "Mend the recipe to see it." : (error ?? (busy ? "Making it…" : made && facts(made)))}
      </p>
    </section>
  );
}

function facts(made: Variant): string {
  const { savedPercent, quality } = made;
  return [
    `${bytes(made.bytes ?? 0)} ${made.format ? formatName(made.format) : ""}`,
    `${made.width} × ${made.height}`,
    typeof savedPercent === "number" ? saved(savedPercent) : "",
    typeof quality === "number" ? `quality ${Math.round(quality * 10) / 10}` : "",
  ]
    .filter(Boolean)
    .join(", ");
}

function useMade(photo: File | null, variant: RecipeVariant, valid: boolean) {
  const [made, setMade] = useState<Variant | null>(null);
  const [busy, setBusy] = useState(true);
  const [error, setError] = useState<string | null>(null);
  const wanted = JSON.stringify({ variants: [variant] });
  useEffect(() => {
    if (!photo || !valid) {
      setBusy(!photo);
      return;
    }
    const abort = new AbortController();
    setBusy(true);
    const timer = setTimeout(async () => {
      try {
        const next = await previewRecipe(photo, JSON.parse(wanted) as Recipe, abort.signal);
        if (abort.signal.aborted) return;
        setMade(next);
        setError(null);
      } catch (fault) {
        // What is wrong with the recipe itself stands beside it.
        const known = fault instanceof ApiError && fault.problem.code === "bad-recipe";
        if (!abort.signal.aborted) setError(known ? null : fault instanceof Error ? fault.message : String(fault));
      }
      if (!abort.signal.aborted) setBusy(false);
    }, SETTLE);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [photo, wanted, valid]);
  return { made, busy, error };
}

interface Picture {
  file: File;
  url: string;
  width: number;
  height: number;
  /** Whether this browser can draw it. */
  drawn: boolean;
}

/** The photo, or the sample in its place, with its size. */
function usePicture(photo: File | null): Picture | null {
  const [picture, setPicture] = useState<Picture | null>(null);
  useEffect(() => {
    let open = true;
    let url = "";
    const look = async () => {
      const file = photo ?? new File([await (await fetch(SAMPLE)).blob()], "field.jpg", { type: "image/jpeg" });
      if (!open) return;
      url = URL.createObjectURL(file);
      const image = new Image();
      image.src = url;
      const drawn = await image.decode().then(
        () => true,
        () => false,
      );
      if (open) setPicture({ file, url, width: image.naturalWidth, height: image.naturalHeight, drawn });
    };
    void look().catch(() => undefined);
    return () => {
      open = false;
      if (url) URL.revokeObjectURL(url);
    };
  }, [photo]);
  return picture;
}
