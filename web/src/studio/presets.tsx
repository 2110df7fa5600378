import type { ReactNode } from "react";
import type { Preset, Recipe } from "../api/types";
import { formatName } from "../lib/format";
import { CheckIcon, PencilIcon } from "../ui/icons";
import { type Choice, OWN } from "./choice";
import { type Frame, frameOf, ratioOf, sizeOf } from "./frames";

interface Props {
  presets: readonly Preset[];
  choice: Choice | undefined;
  /** The photo that every card shows its variants of. */
  picture: string;
  onChoose: (name: string) => void;
}

/** All presets, and a recipe of one's own after them. */
export function Presets({ presets, choice, picture, onChoose }: Props) {
  // The richest first: they tell most about what this place does.
  const sorted = presets.toSorted((a, b) => b.recipe.variants.length - a.recipe.variants.length);
  const chosen = choice && (choice.preset ?? OWN);
  return (
    <fieldset>
      <legend className="text-lg font-semibold tracking-tight">What to make</legend>
      <div className="mt-3 grid grid-cols-2 gap-1.5 min-[22rem]:grid-cols-3">
        {sorted.map(({ name, title, recipe }) => (
          <Card key={name} name={name} title={title} many={recipe.variants.length} chosen={name === chosen} onChoose={onChoose}>
            <Glimpse recipe={recipe} picture={picture} />
          </Card>
        ))}
        <Card name={OWN} title="Your own" many={null} chosen={chosen === OWN} onChoose={onChoose}>
          <PencilIcon width={22} height={22} strokeWidth={1.3} className="text-ink-faint" />
        </Card>
      </div>
    </fieldset>
  );
}

interface CardProps {
  name: string;
  title: string;
  /** Variants that it makes; null: as many as one likes. */
  many: number | null;
  chosen: boolean;
  onChoose: (name: string) => void;
  children: ReactNode;
}

function Card({ name, title, many, chosen, onChoose, children }: CardProps) {
  return (
    <label className="group relative cursor-pointer rounded-lg border border-line bg-surface px-2.5 pt-1.5 pb-1 transition-colors hover:border-line-strong has-checked:border-accent has-checked:bg-accent-wash has-checked:inset-ring has-checked:inset-ring-accent has-focus-visible:outline-[2.5px] has-focus-visible:outline-offset-2 has-focus-visible:outline-accent">
      <input
        type="radio"
        name="preset"
        value={name}
        checked={chosen}
        onChange={() => onChoose(name)}
        aria-describedby={chosen ? "choice-says" : undefined}
        className="absolute inset-0 appearance-none rounded-lg outline-none"
      />
      <span className="flex h-9 items-center gap-1">
        {children}
        {chosen && (
          <span className="absolute top-1.5 right-1.5 grid size-4.5 place-items-center rounded-full bg-accent text-on-accent">
            <CheckIcon width={12} height={12} strokeWidth={2.4} />
          </span>
        )}
      </span>
      <span className="mt-1 flex items-baseline gap-1.5 text-sm">
        <span className="min-w-0 flex-1 truncate font-medium" title={title}>
          {title}
        </span>
        {many !== null && (
          <span className={`figures text-ink-faint group-has-checked:text-ink-soft ${many === 1 ? "sr-only" : ""}`}>
            {many}
            <span className="sr-only"> {many === 1 ? "variant" : "variants"}</span>
          </span>
        )}
      </span>
    </label>
  );
}

/** Frames of a card, and the height of its tallest in pixels. */
const GLIMPSES = 3;
const LOW = 33;

/** What a preset makes, at a glance: its most different shapes, cut from the photo. */
function Glimpse({ recipe, picture }: { recipe: Recipe; picture: string }) {
  const ratio = (frame: Frame) => Math.min(2, Math.max(0.5, ratioOf(frame, 3 / 2)));
  const shapes = distinct(recipe.variants.map(frameOf))
    .toSorted((a, b) => ratio(a) - ratio(b))
    .filter((frame, index, all) => index === 0 || ratio(frame) / ratio(all[index - 1] ?? frame) > 1.15);
  const places = shapes.length <= GLIMPSES ? shapes.keys() : [0, Math.floor(shapes.length / 2), shapes.length - 1];
  return [...places].map((place) => {
    const frame = shapes[place];
    if (!frame) return null;
    const height = LOW / Math.max(1, Math.sqrt(ratio(frame)) * 1.1);
    return (
      <img
        key={frame.name}
        src={picture}
        alt=""
        draggable={false}
        style={{ width: height * ratio(frame), height }}
        className={`rounded-[3px] bg-mat object-cover ${look(frame)}`}
      />
    );
  });
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
