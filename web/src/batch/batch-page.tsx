import { useMutation } from "@tanstack/react-query";
import { lazy, memo, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { Link } from "wouter";
import { ApiError, batchPath, cancelBatch } from "../api/client";
import type { Batch, ImageJob } from "../api/types";
import { bytes, count, saved } from "../lib/format";
import { Bar } from "../ui/bar";
import { Button, LinkButton } from "../ui/button";
import { Chunks } from "../ui/chunks";
import { DownloadIcon, PlusIcon, ShareIcon } from "../ui/icons";
import { day } from "../lib/time";
import { setHash, useHash } from "../lib/hash";
import { useSay, useWorking } from "../ui/status";
import { useTitle } from "../ui/use-title";
import { ImageRow } from "./image-row";
import { hashOf } from "./variant-tile";
import { isOver, type Totals, totals } from "./reduce";
import { type Connection, useBatch } from "./use-batch";

const Viewer = lazy(() => import("./viewer").then((module) => ({ default: module.Viewer })));

const ShareDialog = lazy(() => import("./share-dialog").then((module) => ({ default: module.ShareDialog })));

export function BatchPage({ id }: { id: string }) {
  return <BatchAt path={batchPath(id)} shared={false} />;
}

/** A batch that somebody else shared: to look at and to take, not to change. */
export function SharePage({ token }: { token: string }) {
  return <BatchAt path={`/shares/${encodeURIComponent(token)}`} shared />;
}

function BatchAt({ path, shared }: { path: string; shared: boolean }) {
  const { data: batch, error, connection } = useBatch(path, shared);
  useWorking(batch !== undefined && !isOver(batch.status));

  if (error && !batch) return <Missing error={error} shared={shared} />;
  if (!batch) return <div className="min-h-[60dvh]" aria-busy="true" />;
  return <Shown batch={batch} connection={connection} shared={shared} />;
}

function Missing({ error, shared }: { error: Error; shared: boolean }) {
  const gone = error instanceof ApiError && error.status === 404;
  return (
    <div className="py-20">
      <h1 className="text-3xl font-semibold tracking-tight">{gone ? "This batch is not here." : "The batch cannot be shown."}</h1>
      <p className="mt-3 max-w-[60ch] text-ink-soft">
        {gone
          ? shared
            ? "The link has ended, or was taken back. Ask whoever sent it for a new one."
            : "The address may be wrong, or the batch is older than what this service keeps."
          : error.message}
      </p>
      <Link href="/" className="mt-6 inline-block font-semibold text-accent underline underline-offset-4">
        Make a new batch
      </Link>
    </div>
  );
}

function Shown({ batch, connection, shared }: { batch: Batch; connection: Connection; shared: boolean }) {
  const sums = totals(batch);
  const archive = batch.links["archive"];
  const over = isOver(batch.status);
  const title = headline(batch, sums);
  const heading = useRef<HTMLHeadingElement>(null);
  useAnnouncements(title, over, sums);
  useTitle(`${over ? "" : `${sums.made}/${sums.variants} `}${title} Pixelmill`);
  // A new page for those who do not see it: start at its heading.
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);

  return (
    <>
      <div className="flex flex-wrap items-end justify-between gap-x-10 gap-y-6 pt-6 pb-8 sm:pt-10">
        <div className="min-w-0">
          <h1
            ref={heading}
            tabIndex={-1}
            className="text-[clamp(1.75rem,1.2rem+2.4vw,2.75rem)] leading-[1.08] font-semibold tracking-[-0.022em] outline-none"
          >
            {title}
          </h1>
          <p className="figures mt-2 min-h-7 text-lg text-ink-soft">
            {sums.made > 0 &&
              `${count(sums.made, "variant")}, ${bytes(sums.bytesOut)} in all${average(sums)}.`}
            {sums.made === 0 && !over && "The first variant is on its way."}
          </p>
        </div>
        <div className="flex w-full flex-wrap gap-2.5 sm:w-auto">
          {archive && sums.made > 0 && over && (
            <LinkButton look="primary" href={archive} download className="max-sm:flex-1">
              <DownloadIcon />
              Download all
            </LinkButton>
          )}
          {!over && !shared && <Cancel id={batch.batchId} />}
          {over && !shared && sums.made > 0 && <ShareButton batchId={batch.batchId} />}
          <Link href="/" className="contents">
            <span className="inline-flex min-h-11 items-center justify-center gap-2 rounded-lg border border-line-strong/60 bg-surface px-4 text-[0.9375rem] font-semibold transition-colors hover:border-ink-faint max-sm:flex-1">
              <PlusIcon />
              New batch
            </span>
          </Link>
        </div>
      </div>
      <Bar
        value={over ? 1 : sums.variants ? (sums.made + sums.notMade) / sums.variants : 0}
        label="Variants made"
        look={over ? "done" : "going"}
      />
      <p className="mt-1 mb-4 min-h-6 text-sm text-ink-faint" role="status">
        {connection === "lost" && "The connection broke. Trying again; nothing is lost."}
        {batch.retention.resultsDeleted
          ? "Its results have been deleted: the time that they are kept is over."
          : batch.retention.resultsUntil && `Kept until ${day(batch.retention.resultsUntil)}.`}
      </p>
      <Rows batchId={batch.batchId} files={batch.files} shared={shared} />
      <Opened batch={batch} shared={shared} />
    </>
  );
}

function ShareButton({ batchId }: { batchId: string }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>
        <ShareIcon />
        Share
      </Button>
      {open && (
        <Suspense>
          <ShareDialog batchId={batchId} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}

/** Asks once more in its own place. */
function Cancel({ id }: { id: string }) {
  const [sure, setSure] = useState(false);
  const cancel = useMutation({ mutationFn: () => cancelBatch(id) });
  if (!sure) return <Button onClick={() => setSure(true)}>Cancel</Button>;
  return (
    <Button
      autoFocus
      disabled={cancel.isPending}
      onClick={() => cancel.mutate()}
      onBlur={() => setSure(false)}
      className="border-bad! text-bad"
      title="What is made already stays"
    >
      {cancel.error ? cancel.error.message : "Cancel what is not made yet?"}
    </Button>
  );
}

/** Photos that come and go together, and the height of so many before they were ever drawn. */
const CHUNK = 12;
const ROW = 340;

const Rows = memo(function Rows({ batchId, files, shared }: { batchId: string; files: ImageJob[]; shared: boolean }) {
  const draw = useCallback(
    (image: ImageJob, index: number) => (
      <ImageRow key={image.jobId} batchId={batchId} image={image} index={index} shared={shared} />
    ),
    [batchId, shared],
  );
  return (
    <div className="space-y-10">
      <Chunks items={files} size={CHUNK} height={CHUNK * ROW} label="Photos of this batch" className="space-y-10" draw={draw} />
    </div>
  );
});

/** The variant that the address names after its #, large. Going back closes it. */
function Opened({ batch, shared }: { batch: Batch; shared: boolean }) {
  const [jobId, name] = useHash().split("/").map(decodeURIComponent);
  const index = batch.files.findIndex((file) => file.jobId === jobId);
  const image = batch.files[index];
  const variant = image?.variants.find((one) => one.name === name && one.state === "completed");
  if (!image || !variant) return null;
  return (
    <Suspense>
      <Viewer
        batchId={batch.batchId}
        image={image}
        index={index}
        variant={variant}
        shared={shared}
        onChange={(next) => setHash(hashOf(image, next), true)}
        onClose={() => setHash("", true)}
      />
    </Suspense>
  );
}

function average({ saved: percent, made }: Totals): string {
  if (percent === null || Math.abs(percent) < 0.5) return "";
  return made === 1 ? `, ${saved(percent)} than its photo` : `, on average ${saved(percent)} than their photos`;
}

function headline(batch: Batch, sums: Totals): string {
  switch (batch.status) {
    case "waiting":
      return `${count(batch.progress.total, "photo")} waiting for a worker.`;
    case "processing":
      return `${sums.made} of ${count(sums.variants, "variant")} made…`;
    case "completed":
      return sums.variants === 1 ? "Your variant is ready." : `All ${sums.variants} variants are ready.`;
    case "completed-with-errors":
      return sums.made === 0
        ? "No variant could be made."
        : `${count(sums.made, "variant")} ready, ${count(sums.failed, "photo")} failed.`;
    case "canceled":
      return "This batch was canceled.";
  }
}

/** Tells those who hear the page how far it is: the end at once, the way there every few seconds. */
function useAnnouncements(title: string, over: boolean, sums: Totals): void {
  const say = useSay();
  const latest = useRef(sums);
  latest.current = sums;
  useEffect(() => {
    if (over) {
      say(title);
      return;
    }
    const timer = setInterval(() => say(`${latest.current.made} of ${latest.current.variants} variants made.`), 5000);
    return () => clearInterval(timer);
  }, [over, say, title]);
}
