import type { Preset } from "../api/types";
import { count } from "../lib/format";
import { frameOf, ratioOf } from "./frames";

/** Most frames drawn on one card. */
const SHOWN = 5;

interface Props {
  presets: readonly Preset[];
  chosen: string | undefined;
  onChoose: (name: string) => void;
  /** The first photo chosen: the frames show it as each variant will. */
  picture: string | null;
}

export function Presets({ presets, chosen, onChoose, picture }: Props) {
  return (
    <fieldset>
      <legend className="text-lg font-semibold tracking-tight">What to make</legend>
      <div className="mt-3 grid gap-2 sm:grid-cols-2 lg:grid-cols-1">
        {presets.map((preset) => (
          <label
            key={preset.name}
            className="group relative flex cursor-pointer items-center gap-4 rounded-xl border border-line bg-surface px-4 py-3 transition-colors hover:border-line-strong has-checked:border-accent has-checked:bg-accent-wash has-focus-visible:outline-[2.5px] has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name="preset"
              value={preset.name}
              checked={preset.name === chosen}
              onChange={() => onChoose(preset.name)}
              className="peer sr-only"
            />
            <span className="min-w-0 flex-1">
              <span className="flex flex-wrap items-baseline gap-x-2">
                <span className="font-semibold">{preset.title}</span>
                <span className="figures text-sm text-ink-faint">{count(preset.recipe.variants.length, "variant")}</span>
              </span>
              <span className="mt-0.5 block text-sm leading-snug text-ink-soft">{preset.description}</span>
            </span>
            <Frames preset={preset} picture={picture} />
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** The outlines of what a preset makes, to scale with one another. */
function Frames({ preset, picture }: { preset: Preset; picture: string | null }) {
  const frames = preset.recipe.variants.slice(0, SHOWN).map(frameOf);
  const largest = Math.max(...frames.map((frame) => Math.max(frame.width ?? 0, frame.height ?? 0)), 1);
  return (
    <span aria-hidden="true" className="flex w-28 shrink-0 items-center justify-end gap-1">
      {frames.map((frame) => {
        const ratio = ratioOf(frame, 3 / 2);
        const side = Math.max(frame.width ?? 0, frame.height ?? 0) || largest;
        // A square root, so that a thumbnail beside a poster can still be seen.
        const height = (frames.length > 3 ? 26 : 36) * Math.max(0.4, Math.sqrt(side / largest)) / Math.max(1, ratio * 0.8);
        return (
          <span
            key={frame.name}
            className="block overflow-hidden rounded-[3px] bg-mat ring-1 ring-line-strong/50"
            style={{ height, width: height * ratio }}
          >
            {picture && (
              <img
                src={picture}
                alt=""
                className={`size-full object-cover ${frame.grey ? "grayscale" : ""}`}
                draggable={false}
              />
            )}
          </span>
        );
      })}
    </span>
  );
}
