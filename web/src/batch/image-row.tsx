import { useMutation, useQueryClient } from "@tanstack/react-query";
import { memo } from "react";
import { batchPath, retryJob } from "../api/client";
import type { ImageJob } from "../api/types";
import { bytes, codeName, extension, formatName } from "../lib/format";
import { Button } from "../ui/button";
import { WarningIcon } from "../ui/icons";
import { LOST } from "./lost";
import { useOriginal } from "./originals";
import { batchKey } from "./use-batch";
import { VariantTile } from "./variant-tile";

interface Props {
  batchId: string;
  image: ImageJob;
  index: number;
  shared: boolean;
}

/** One photo with its variants beside it. */
export const ImageRow = memo(function ImageRow({ batchId, image, index, shared }: Props) {
  const original = useOriginal(batchId, index, image.originalName);
  const size = image.bytes ?? original?.file.size;
  return (
    <li className="grid grid-cols-[minmax(0,1fr)] gap-x-8 gap-y-4 border-t border-line pt-5 [contain-intrinsic-size:auto_24rem] [content-visibility:auto] md:grid-cols-[13rem_minmax(0,1fr)]">
      <div className="flex gap-4 md:block">
        <div className="relative aspect-4/3 w-28 shrink-0 overflow-hidden rounded-lg bg-mat ring-1 ring-line md:w-full">
          <OriginalPicture image={image} picture={original?.picture ?? null} />
        </div>
        <div className="min-w-0 md:mt-3">
          <h2 className="font-semibold break-words [overflow-wrap:anywhere]">{image.originalName}</h2>
          <p className="figures text-sm text-ink-faint">
            {[size ? bytes(size) : null, image.format ? formatName(image.format) : null].filter(Boolean).join(", ")}
            {image.width && image.height && (
              <>
                <br />
                {image.width} × {image.height}
              </>
            )}
          </p>
        </div>
      </div>
      <div className="min-w-0">
        {image.state === "failed" && (
          <div className="mb-4 flex flex-wrap items-center gap-x-2.5 gap-y-2 rounded-lg bg-bad-wash px-4 py-2 leading-snug text-bad">
            <WarningIcon className="shrink-0" />
            <p className="min-w-0 flex-1 basis-56 py-1">
              {image.errorCode && <strong className="font-semibold">{codeName(image.errorCode)}. </strong>}
              {image.failedReason ?? "It could not be made."}
            </p>
            {!shared && !LOST.has(image.errorCode ?? "") && <Retry batchId={batchId} image={image} />}
          </div>
        )}
        {(image.state !== "failed" || image.variants.some((variant) => variant.state === "completed")) && (
          <ul className="grid grid-cols-2 gap-x-4 gap-y-6 sm:grid-cols-[repeat(auto-fill,minmax(10.5rem,1fr))]" aria-label={`Variants of ${image.originalName}`}>
            {image.variants.map((variant) => (
              <VariantTile key={variant.name} variant={variant} image={image} />
            ))}
          </ul>
        )}
      </div>
    </li>
  );
});

/** Has a failed image done again. What is wrong with it may be mended elsewhere: a limit, a disk, a worker. */
function Retry({ batchId, image }: { batchId: string; image: ImageJob }) {
  const client = useQueryClient();
  const retry = useMutation({
    mutationFn: () => retryJob(image.jobId),
    onSuccess: () => client.invalidateQueries({ queryKey: batchKey(batchPath(batchId)) }),
  });
  return (
    <>
      <Button
        disabled={retry.isPending}
        onClick={() => retry.mutate()}
        aria-label={`Try ${image.originalName} again`}
        className="border-current bg-transparent text-bad"
      >
        Try again
      </Button>
      {retry.error && <p className="w-full text-sm">{retry.error.message}</p>}
    </>
  );
}

function OriginalPicture({ image, picture }: { image: ImageJob; picture: string | null }) {
  // After a reload the photo itself is not here any more: its first variant stands in.
  const source = picture ?? image.variants.find((variant) => variant.url)?.url;
  if (source) return <img src={source} alt="" className="absolute inset-0 size-full object-cover" />;
  return (
    <span className="absolute inset-0 grid place-items-center font-semibold tracking-wide text-ink-soft">
      {extension(image.originalName)}
    </span>
  );
}
