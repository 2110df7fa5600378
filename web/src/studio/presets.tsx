import type { Preset } from "../api/types";
import { count, formatName } from "../lib/format";
import { type Frame, frameOf, ratioOf, sizeOf } from "./frames";

interface Props {
  presets: readonly Preset[];
  chosen: Preset | undefined;
  onChoose: (name: string) => void;
  /** The first photo chosen: the frames show it as each variant will. */
  picture: string;
}

/** One row a preset; what the chosen one makes is drawn below, to scale. */
export function Presets({ presets, chosen, onChoose, picture }: Props) {
  // The richest first: they tell most about what this place does.
  const sorted = presets.toSorted((a, b) => b.recipe.variants.length - a.recipe.variants.length);
  return (
    <>
      <fieldset>
        <legend className="text-lg font-semibold tracking-tight">What to make</legend>
        <div className="mt-3 overflow-hidden rounded-xl border border-line bg-surface">
          {sorted.map((preset) => (
            <label
              key={preset.name}
              className="relative flex min-h-11 cursor-pointer items-center gap-3 border-b border-line px-4 transition-colors last:border-b-0 hover:bg-paper has-checked:bg-accent-wash has-focus-visible:outline-[2.5px] has-focus-visible:-outline-offset-2 has-focus-visible:outline-accent"
            >
              <input
                type="radio"
                name="preset"
                value={preset.name}
                checked={preset.name === chosen?.name}
                onChange={() => onChoose(preset.name)}
                aria-describedby={preset.name === chosen?.name ? "preset-says" : undefined}
                className="size-4.5 shrink-0 appearance-none rounded-full border-[1.5px] border-line-strong outline-none checked:border-[5.5px] checked:border-accent"
              />
              <span className="min-w-0 flex-1 truncate text-[0.9375rem] font-medium">{preset.title}</span>
              <span className="figures text-sm text-ink-faint">{count(preset.recipe.variants.length, "variant")}</span>
            </label>
          ))}
        </div>
      </fieldset>
      {chosen && (
        <div className="mt-4 min-h-44">
          <p id="preset-says" className="text-[0.9375rem] leading-snug text-ink-soft">
            {chosen.description}
          </p>
          <Frames preset={chosen} picture={picture} />
        </div>
      )}
    </>
  );
}

/** Height of the largest frame, and the width that there is for all of them, in pixels. */
const HIGH = 84;
const WIDE = 370;
const GAP = 10;
const MOST = 6;

function Frames({ preset, picture }: { preset: Preset; picture: string }) {
  const frames = distinct(preset.recipe.variants.map(frameOf));
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
    <ul aria-label={`Variants of ${preset.title}`} className="mt-4 flex items-end gap-2.5">
      {boxes.map(({ frame, width, height }) => (
        <li key={frame.name} className="min-w-0">
          <span
            aria-hidden="true"
            className="block overflow-hidden rounded-[4px] bg-mat ring-1 ring-line-strong/45"
            style={{ width: width * scale, height: height * scale }}
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
