import { useState } from "react";
import type { Limits } from "../api/types";
import { bytes, count } from "../lib/format";
import { Button } from "../ui/button";
import { PhotoIcon } from "../ui/icons";

interface Props {
  limits: Limits | undefined;
  over: boolean;
  onBrowse: () => void;
  onFiles: (files: readonly File[]) => void;
}

/** The light table before the first photo: says what to do, and lends three photos to try it with. */
export function EmptyTable({ limits, over, onBrowse, onFiles }: Props) {
  return (
    <div
      className={`flex min-h-[26rem] flex-col items-center justify-center rounded-2xl border-2 border-dashed px-5 py-10 text-center transition-colors sm:min-h-[34rem] ${
        over ? "border-accent bg-accent-wash" : "border-line-strong/50 bg-sunken"
      }`}
    >
      <PhotoIcon width={40} height={40} strokeWidth={1} className="text-ink-faint" />
      <p className="mt-3 text-2xl font-semibold tracking-tight">{over ? "Let go to add them" : "Drop photos here"}</p>
      <p className="mt-1 text-ink-soft">or a folder, or a ZIP; or paste from the clipboard</p>
      <Button className="mt-5" onClick={onBrowse}>
        Choose photos
      </Button>
      <p className="figures mt-5 min-h-[2lh] max-w-[52ch] text-sm leading-snug text-ink-faint">
        {limits && `Up to ${count(limits.maxFiles, "photo")} in one batch, ${bytes(limits.maxFileBytes)} each. `}
        JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF, JPEG XL or SVG.
      </p>
      <Samples onFiles={onFiles} />
    </div>
  );
}

const SAMPLES = [
  { name: "field", what: "Hands with a seedling", by: "Clemens Engelhardt, CC0" },
  { name: "friends", what: "Two dogs at a window", by: "Aitzol Berasategi, CC BY 4.0" },
  { name: "fig", what: "A fig in a red bowl", by: "Trevor “Freespace”, CC BY 4.0" },
] as const;

function Samples({ onFiles }: Pick<Props, "onFiles">) {
  const [failed, setFailed] = useState(false);
  const take = async (name: string) => {
    try {
      const response = await fetch(`/samples/${name}.jpg`);
      if (!response.ok) throw new Error(String(response.status));
      const body = await response.blob();
      setFailed(false);
      // A fixed date: the same sample chosen twice is the same photo.
      onFiles([new File([body], `${name}.jpg`, { type: "image/jpeg", lastModified: 0 })]);
    } catch {
      setFailed(true);
    }
  };
  return (
    <div className="mt-7 w-full max-w-sm border-t border-line pt-5">
      <p className="text-sm text-ink-soft">{failed ? "The sample did not arrive. Try again." : "No photo at hand? Try one of these:"}</p>
      <div className="mt-3 grid grid-cols-3 gap-3">
        {SAMPLES.map(({ name, what, by }) => (
          <button
            key={name}
            type="button"
            onClick={() => void take(name)}
            title={`${what}. Photo: ${by}`}
            aria-label={`Add the sample photo: ${what}`}
            className="aspect-4/3 overflow-hidden rounded-lg bg-mat ring-1 ring-line transition hover:ring-2 hover:ring-accent"
          >
            <img src={`/samples/${name}-small.jpg`} alt="" width={320} height={240} className="size-full object-cover" />
          </button>
        ))}
      </div>
    </div>
  );
}
