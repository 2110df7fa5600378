import type { Limits } from "../api/types";
import { bytes, count } from "../lib/format";
import { Button } from "../ui/button";
import { PhotoIcon } from "../ui/icons";

/** The light table before the first photo: says what to do. */
export function EmptyTable({ limits, over, onBrowse }: { limits: Limits | undefined; over: boolean; onBrowse: () => void }) {
  return (
    <div
      className={`flex min-h-72 flex-col items-center justify-center rounded-2xl border-2 border-dashed px-6 py-12 text-center transition-colors sm:min-h-[30rem] ${
        over ? "border-accent bg-accent-wash" : "border-line-strong/50 bg-sunken"
      }`}
    >
      <PhotoIcon width={44} height={44} strokeWidth={1} className="text-ink-faint" />
      <p className="mt-4 text-2xl font-semibold tracking-tight">{over ? "Let go to add them" : "Drop photos here"}</p>
      <p className="mt-1 text-ink-soft">or paste them from the clipboard</p>
      <Button look="plain" className="mt-5" onClick={onBrowse}>
        Choose photos
      </Button>
      <p className="figures mt-6 min-h-10 max-w-[44ch] text-sm leading-snug text-ink-faint">
        {limits && `Up to ${count(limits.maxFiles, "photo")} in one batch, ${bytes(limits.maxFileBytes)} each.`}
        <br />
        JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF, JPEG XL or SVG.
      </p>
    </div>
  );
}
