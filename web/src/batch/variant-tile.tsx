import { memo } from "react";
import type { ImageJob, Variant } from "../api/types";
import { bytes, formatName, saved } from "../lib/format";
import { setHash } from "../lib/hash";
import { CheckIcon, DownloadIcon, WarningIcon } from "../ui/icons";
import { reasonOf } from "./reduce";
import { downloadAddress } from "./snippets";

/** Names a variant in the address of its batch's page. */
export function hashOf(image: ImageJob, variant: Variant): string {
  return `${encodeURIComponent(image.jobId)}/${encodeURIComponent(variant.name)}`;
}

interface Props {
  variant: Variant;
  image: ImageJob;
  /** Where it is shown large, when that is not here. */
  page?: string;
}

/** One variant: an empty mat at first, then the picture with what it weighs. The tile never changes its size. */
export const VariantTile = memo(function VariantTile({ variant, image, page = "" }: Props) {
  const { name, state, url } = variant;
  return (
    <li className="min-w-0" data-variant={name} data-state={state}>
      <div className="relative aspect-square overflow-hidden rounded-lg bg-mat">
        {state === "completed" && url ? (
          <a
            href={`${page}#${hashOf(image, variant)}`}
            onClick={(event) => {
              if (page) return;
              event.preventDefault();
              setHash(hashOf(image, variant));
            }}
            className="absolute inset-0 cursor-zoom-in rounded-lg"
            aria-label={`Look at ${name} of ${image.originalName}`}
          >
            <img
              src={url}
              alt=""
              loading="lazy"
              decoding="async"
              className="absolute inset-0 size-full object-contain p-2.5 motion-safe:animate-arrive"
            />
          </a>
        ) : (
          <Waiting variant={variant} inWork={image.state === "active"} />
        )}
      </div>
      <div className="mt-2 flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h3 className="truncate text-[0.9375rem] leading-snug font-semibold" title={name}>
            {name}
          </h3>
          <Facts variant={variant} inWork={image.state === "active"} />
        </div>
        {state === "completed" && url && (
          <a
            href={downloadAddress(url)}
            download
            aria-label={`Download ${name} of ${image.originalName}`}
            title="Download"
            className="-mt-1 grid size-10 shrink-0 place-items-center rounded-lg text-ink-soft transition-colors hover:bg-sunken hover:text-accent"
          >
            <DownloadIcon />
          </a>
        )}
      </div>
    </li>
  );
});

function Waiting({ variant: { state, progress }, inWork }: { variant: Variant; inWork: boolean }) {
  if (state === "failed")
    return (
      <span className="absolute inset-0 grid place-items-center text-bad">
        <WarningIcon width={28} height={28} />
      </span>
    );
  if (state === "canceled" || !inWork) return null;
  return (
    <>
      <span className="absolute inset-0 bg-surface/60 motion-safe:animate-breathe" />
      <span
        className="absolute inset-x-0 bottom-0 h-1 origin-left bg-accent transition-transform duration-200"
        style={{ transform: `scaleX(${(progress ?? 0) / 100})` }}
      />
    </>
  );
}

function Facts({ variant, inWork }: { variant: Variant; inWork: boolean }) {
  const { state, width, height, format, savedPercent } = variant;
  if (state === "completed") {
    return (
      <p className="figures text-sm leading-snug text-ink-faint">
        <span className="font-semibold text-ink">{bytes(variant.bytes ?? 0)}</span> {format && formatName(format)}
        {savedPercent !== null && savedPercent !== undefined && (
          <span className={`block font-medium ${savedPercent > 0 ? "text-good" : "text-ink-soft"}`}>
            {savedPercent > 0 && <CheckIcon width={14} height={14} className="mr-1 inline-block align-[-0.15em]" />}
            {saved(savedPercent)}
          </span>
        )}
        <span className="block">
          {width && height && `${width} × ${height}`}
        </span>
      </p>
    );
  }
  // Three lines, as many as there will be.
  return (
    <p className="min-h-[3lh] text-sm leading-snug text-ink-faint">
      {state === "failed"
        ? (reasonOf(variant) ?? "It could not be made.")
        : state === "canceled"
          ? "canceled"
          : inWork
            ? "in work"
            : "waiting"}
    </p>
  );
}
