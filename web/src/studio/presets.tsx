import type { ReactNode } from "react";
import type { Preset } from "../api/types";
import { formatName } from "../lib/format";
import { PencilIcon } from "../ui/icons";
import { type Choice, OWN } from "./choice";
import { type Frame, frameOf, ratioOf, sizeOf } from "./frames";

interface Props {
  presets: readonly Preset[];
  choice: Choice | undefined;
  onChoose: (name: string) => void;
}

/** All presets, and a recipe of one's own after them. */
export function Presets({ presets, choice, onChoose }: Props) {
  // The richest first: they tell most about what this place does.
  const sorted = presets.toSorted((a, b) => b.recipe.variants.length - a.recipe.variants.length);
  const chosen = choice && (choice.preset ?? OWN);
  return (
    <fieldset>
      <legend className="text-lg font-semibold tracking-tight">What to make</legend>
      <div className="mt-3 grid grid-cols-2 gap-1.5">
        {sorted.map(({ name, title, recipe }) => (
          <Chip key={name} name={name} title={title} chosen={name === chosen} onChoose={onChoose}>
            <span className="figures text-sm text-ink-faint">
              {recipe.variants.length}
              <span className="sr-only"> {recipe.variants.length === 1 ? "variant" : "variants"}</span>
            </span>
          </Chip>
        ))}
        <Chip name={OWN} title="Your own" chosen={chosen === OWN} onChoose={onChoose}>
          <PencilIcon width={16} height={16} className="text-ink-faint" />
        </Chip>
      </div>
    </fieldset>
  );
}

interface ChipProps {
  name: string;
  title: string;
  chosen: boolean;
  onChoose: (name: string) => void;
  children: ReactNode;
}

function Chip({ name, title, chosen, onChoose, children }: ChipProps) {
  return (
    <label className="flex min-h-11 cursor-pointer items-center gap-2.5 rounded-lg border border-line bg-surface px-3 transition-colors hover:border-line-strong has-checked:border-accent has-checked:bg-accent-wash has-focus-visible:outline-[2.5px] has-focus-visible:outline-offset-2 has-focus-visible:outline-accent">
      <input
        type="radio"
        name="preset"
        value={name}
        checked={chosen}
        onChange={() => onChoose(name)}
        aria-describedby={chosen ? "choice-says" : undefined}
        className="size-4 shrink-0 appearance-none rounded-full border-[1.5px] border-line-strong outline-none checked:border-[5px] checked:border-accent"
      />
      <span className="min-w-0 flex-1 truncate text-[0.9375rem] font-medium" title={title}>
        {title}
      </span>
      {children}
    </label>
  );
}

/** Height of the largest frame, and the width that there is for all of them, in pixels. */
const HIGH = 84;
const WIDE = 370;
const GAP = 10;
const MOST = 6;

/** What a choice makes, drawn to scale with the first photo chosen in every frame. */
export function Frames({ choice, picture }: { choice: Choice; picture: string }) {
  const frames = distinct(choice.recipe.variants.map(frameOf));
  const shown = frames.slice(0, MOST);
  const largest = Math.max(...shown.map((frame) => Math.max(frame.width ?? 0, frame.height ?? 0)), 1);
  const boxes = shown.map((frame) => {
    const ratio = ratioOf(frame, 3 / 2);
    const longest = Math.max(frame.width ?? 0, frame.height ?? 0) || largest;
    // A square root, so that a thumbnail beside a poster can still be seen.
    const side = HIGH * Math.max(0.35, Math.sqrt(longest / largest));
    return { frame, width: ratio >= 1 ? side : side * ratio, height: ratio >= 1 ? side / ratio : side };
  });
  const total = boxes.reduce((sum, box) => sum + box.width, 0) + GAP * (boxes.length - 1);
  const scale = Math.min(1, (WIDE - GAP * (boxes.length - 1)) / total);
  return (
    <ul aria-label={`Variants of ${choice.title}`} className="mt-4 flex min-h-[84px] items-end gap-2.5">
      {boxes.map(({ frame, width, height }) => (
        <li key={frame.name} className="min-w-0 shrink" style={{ flexBasis: width * scale }}>
          <span
            aria-hidden="true"
            className="block w-full overflow-hidden rounded-[4px] bg-mat ring-1 ring-line-strong/45"
            style={{ aspectRatio: width / height }}
            title={`${frame.name}: ${sizeOf(frame)}${frame.format ? `, ${formatName(frame.format)}` : ""}`}
          >
            <img src={picture} alt="" className={`size-full object-cover ${look(frame)}`} draggable={false} />
          </span>
          <span className="sr-only">
            {frame.name}, {sizeOf(frame)}
            {frame.format && `, ${formatName(frame.format)}`}
          </span>
        </li>
      ))}
      {frames.length > MOST && <li className="figures self-center text-sm text-ink-faint">+{frames.length - MOST}</li>}
    </ul>
  );
}

function look(frame: Frame): string {
  return `${frame.grey ? "grayscale" : ""} ${frame.blurred ? "blur-[3px]" : ""}`;
}

/** Variants that differ only in their format look the same: one frame stands for them. */
function distinct(frames: readonly Frame[]): Frame[] {
  const seen = new Map<string, Frame>();
  for (const frame of frames) {
    const key = `${frame.width}x${frame.height} ${frame.cut} ${frame.grey}`;
    const known = seen.get(key);
    if (!known) seen.set(key, frame);
    else if (frame.format && known.format && !known.format.includes(frame.format))
      seen.set(key, { ...known, name: `${known.name}, ${frame.name}` });
  }
  return [...seen.values()];
}
