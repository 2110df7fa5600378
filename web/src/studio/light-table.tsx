import { memo, type ReactNode, useMemo, useRef } from "react";
import { bytes, extension } from "../lib/format";
import { CrossIcon, PlusIcon, WarningIcon } from "../ui/icons";
import { Chunks } from "../ui/chunks";
import type { Item } from "./selection";

interface Props {
  items: readonly Item[];
  reasons: ReadonlyMap<number, string>;
  /** How much of each photo is sent, 0 to 1, while sending. */
  shares: ReadonlyMap<number, number> | null;
  onRemove: (item: Item) => void;
  onAdd: () => void;
}

/** The chosen photos, laid out as on a light table. */
export function LightTable({ items, reasons, shares, onRemove, onAdd }: Props) {
  const slides = items.map(
    (item): SlideProps => ({
      item,
      reason: reasons.get(item.id) ?? null,
      share: shares?.get(item.id) ?? null,
      locked: shares !== null,
      onRemove,
    }),
  );
  return (
    <div className="space-y-5">
      <Chunks
        items={useSame(slides)}
        size={CHUNK}
        height={1200}
        label="Chosen photos"
        className="grid grid-cols-2 content-start gap-x-3 gap-y-5 sm:grid-cols-3 xl:grid-cols-4"
        draw={drawSlide}
        end={useMemo(() => (shares === null ? <Add onAdd={onAdd} /> : null), [shares === null, onAdd])}
      />
    </div>
  );
}

/** Full rows whether there are two, three or four photos in one. */
const CHUNK = 24;

const drawSlide = (slide: SlideProps) => <Slide key={slide.item.id} {...slide} />;

/** What is as it was before is the very same object: only the others are drawn again. */
function useSame<T extends object>(values: readonly T[]): readonly T[] {
  const before = useRef<readonly T[]>([]);
  const same = values.map((value, index) => {
    const old = before.current[index];
    return old && (Object.keys(value) as (keyof T)[]).every((key) => old[key] === value[key]) ? old : value;
  });
  before.current = same;
  return same;
}

function Add({ onAdd }: { onAdd: () => void }) {
  return (
    <li>
      <button
        type="button"
        onClick={onAdd}
        className="grid aspect-4/3 w-full place-items-center rounded-lg border border-dashed border-line-strong text-ink-soft transition-colors hover:border-accent hover:bg-accent-wash hover:text-ink"
      >
        <span className="flex flex-col items-center gap-1 text-sm font-semibold">
          <PlusIcon />
          Add photos
        </span>
      </button>
    </li>
  );
}

interface SlideProps {
  item: Item;
  reason: string | null;
  share: number | null;
  locked: boolean;
  onRemove: (item: Item) => void;
}

const Slide = memo(function Slide({ item, reason, share, locked, onRemove }: SlideProps) {
  return (
    <li className="min-w-0 [contain-intrinsic-size:auto_11rem] [content-visibility:auto]">
      <div className={`relative aspect-4/3 overflow-hidden rounded-lg bg-mat ring-1 ${reason ? "ring-bad" : "ring-line"}`}>
        <Picture item={item} dim={reason !== null} />
        {share !== null && (
          <span
            aria-hidden="true"
            className="absolute inset-x-0 bottom-0 h-1.5 origin-left bg-accent transition-transform duration-200 ease-out"
            style={{ transform: `scaleX(${share})` }}
          />
        )}
        {!locked && (
          <button
            type="button"
            onClick={() => onRemove(item)}
            aria-label={`Remove ${item.file.name}`}
            className="absolute top-1.5 right-1.5 grid size-9 place-items-center rounded-full bg-[#131211]/75 text-white backdrop-blur-sm transition-colors hover:bg-[#131211]"
          >
            <CrossIcon width={16} height={16} />
          </button>
        )}
      </div>
      <p className="mt-2 truncate text-sm font-medium" title={item.file.name}>
        {item.file.name}
      </p>
      {reason ? (
        <p className="flex gap-1.5 text-sm leading-snug text-bad">
          <WarningIcon width={16} height={16} className="mt-0.5 shrink-0" />
          <span>{reason}</span>
        </p>
      ) : (
        <p className="figures text-sm text-ink-faint">
          {bytes(item.file.size)}
          {share !== null && share > 0 && (share < 1 ? `, ${Math.floor(share * 100)} % sent` : ", sent")}
        </p>
      )}
    </li>
  );
});

function Picture({ item, dim }: { item: Item; dim: boolean }): ReactNode {
  if (item.picture === undefined) return <span className="absolute inset-0 motion-safe:animate-breathe" />;
  if (item.picture === null)
    return (
      <span className="absolute inset-0 grid place-items-center text-lg font-semibold tracking-wide text-ink-soft">
        {extension(item.file.name)}
      </span>
    );
  return (
    <img
      src={item.picture}
      alt=""
      draggable={false}
      className={`absolute inset-0 size-full object-cover motion-safe:animate-arrive ${dim ? "opacity-40" : ""}`}
    />
  );
}
