import { type ReactNode, useEffect, useRef, useState } from "react";
import type { ImageJob, Variant } from "../api/types";
import { copy } from "../lib/copy";
import { bytes, formatName, saved } from "../lib/format";
import { Button, LinkButton } from "../ui/button";
import { ArrowIcon, CheckIcon, CopyIcon, CrossIcon, DownloadIcon } from "../ui/icons";
import { Compare } from "./compare";
import { useOriginal } from "./originals";
import { isWhole } from "./whole";
import { address, downloadAddress, markdown, picture } from "./snippets";

interface Props {
  batchId: string;
  image: ImageJob;
  index: number;
  variant: Variant;
  shared: boolean;
  onChange: (variant: Variant) => void;
  onClose: () => void;
}

/** One variant, large: beside its original, with its facts and ways to take it along. */
export function Viewer({ batchId, image, index, variant, shared, onChange, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (!element?.open) element?.showModal();
  }, []);

  const made = image.variants.filter((one) => one.state === "completed" && one.url);
  const place = made.findIndex((one) => one.name === variant.name);
  const go = (by: number) => {
    const next = made[(place + by + made.length) % made.length];
    if (next && next !== variant) onChange(next);
  };
  const before = useBefore(batchId, index, image, variant, shared);
  const title = `${variant.name} of ${image.originalName}`;

  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onClose={onClose}
      onKeyDown={(event) => {
        // The slider has the arrow keys to itself.
        if (event.target instanceof HTMLInputElement) return;
        if (event.key === "ArrowLeft") go(-1);
        if (event.key === "ArrowRight") go(1);
      }}
      className="m-0 grid h-dvh max-h-none w-full max-w-none grid-cols-[minmax(0,1fr)] grid-rows-[minmax(0,1fr)_auto] bg-paper text-ink not-open:hidden lg:grid-cols-[minmax(0,1fr)_22rem] lg:grid-rows-1"
    >
      <Compare key={variant.url} variant={variant} before={before} />
      <div className="flex max-h-[46dvh] flex-col gap-5 overflow-y-auto border-t border-line bg-surface p-5 lg:max-h-none lg:border-t-0 lg:border-l lg:p-6">
        <div className="flex items-start gap-2">
          <div className="min-w-0 flex-1">
            <h2 className="text-xl font-semibold tracking-tight break-words">{variant.name}</h2>
            <p className="text-sm break-words text-ink-faint">{image.originalName}</p>
          </div>
          {/* First in the dialog's order, so that it has the focus when it opens. */}
          <IconButton label="Close" onClick={() => dialog.current?.close()} autoFocus>
            <CrossIcon />
          </IconButton>
        </div>
        <Facts image={image} variant={variant} />
        <LinkButton look="primary" href={downloadAddress(variant.url ?? "")} download>
          <DownloadIcon />
          Download
        </LinkButton>
        <div className="grid gap-2">
          <Copier what="address" text={address(variant)} />
          <Copier what="<picture> element" text={picture(image, variant)} />
          <Copier what="Markdown" text={markdown(image, variant)} />
        </div>
        {made.length > 1 && (
          <div className="mt-auto flex items-center justify-between gap-2 pt-2">
            <IconButton label="Previous variant" onClick={() => go(-1)}>
              <ArrowIcon className="rotate-180" />
            </IconButton>
            <p className="figures text-sm text-ink-faint" aria-live="polite">
              <span className="sr-only">{variant.name}, </span>
              {place + 1} of {made.length}
            </p>
            <IconButton label="Next variant" onClick={() => go(1)}>
              <ArrowIcon />
            </IconButton>
          </div>
        )}
      </div>
    </dialog>
  );
}

/**
 * The address of the photo itself, where this browser can draw it and the variant shows the whole of it: from this tab
 * when it sent it, else from the service. A share shows no originals.
 */
function useBefore(batchId: string, index: number, image: ImageJob, variant: Variant, shared: boolean): string | null {
  const file = useOriginal(batchId, index, image.originalName)?.file;
  const stored = shared ? null : `/jobs/${encodeURIComponent(image.jobId)}/original`;
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const address = file ? URL.createObjectURL(file) : stored;
    if (!address) return;
    let open = true;
    const picture = new Image();
    picture.src = address;
    picture.decode().then(
      () => open && setUrl(address),
      () => undefined, // not kept any more, or a format that this browser does not know
    );
    return () => {
      open = false;
      setUrl(null);
      if (file) URL.revokeObjectURL(address);
    };
  }, [file, stored]);
  return isWhole(image, variant) ? url : null;
}

function Facts({ image, variant }: { image: ImageJob; variant: Variant }) {
  const { savedPercent, quality } = variant;
  const rows: [string, ReactNode, ReactNode][] = [
    ["Size", image.bytes ? bytes(image.bytes) : "", bytes(variant.bytes ?? 0)],
    ["Pixels", image.width ? `${image.width} × ${image.height}` : "", `${variant.width} × ${variant.height}`],
    ["Format", image.format ? formatName(image.format) : "", variant.format ? formatName(variant.format) : ""],
  ];
  return (
    <div>
      {typeof savedPercent === "number" && (
        <p className={`figures mb-3 text-3xl font-semibold tracking-tight ${savedPercent > 0 ? "text-good" : "text-ink"}`}>
          {saved(savedPercent)}
        </p>
      )}
      <table className="figures w-full text-left text-[0.9375rem]">
        <thead className="text-sm text-ink-faint">
          <tr>
            <td />
            <th scope="col" className="pb-1 font-medium">
              before
            </th>
            <th scope="col" className="pb-1 font-medium">
              after
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, was, is]) => (
            <tr key={name} className="border-t border-line">
              <th scope="row" className="py-1.5 pr-3 font-normal text-ink-faint">
                {name}
              </th>
              <td className="py-1.5 pr-3">{was}</td>
              <td className="py-1.5 font-semibold">{is}</td>
            </tr>
          ))}
          {quality !== null && quality !== undefined && (
            <tr className="border-t border-line">
              <th scope="row" className="py-1.5 pr-3 font-normal text-ink-faint">
                Quality
              </th>
              <td />
              <td className="py-1.5 font-semibold">{Math.round(quality * 10) / 10}</td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

function Copier({ what, text }: { what: string; text: string }) {
  const [said, setSaid] = useState<"done" | "failed" | null>(null);
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(null), 2500);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <Button
      className="justify-start"
      onClick={() =>
        void copy(text).then(
          () => setSaid("done"),
          () => setSaid("failed"),
        )
      }
    >
      {said === "done" ? <CheckIcon className="text-good" /> : <CopyIcon />}
      <span aria-live="polite">
        {said === "done" ? "Copied" : said === "failed" ? "This browser did not let it be copied" : `Copy ${what}`}
      </span>
    </Button>
  );
}

function IconButton({ label, children, ...props }: { label: string; children: ReactNode; onClick: () => void; autoFocus?: boolean }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className="grid size-11 shrink-0 place-items-center rounded-lg text-ink-soft transition-colors hover:bg-sunken hover:text-ink"
      {...props}
    >
      {children}
    </button>
  );
}
