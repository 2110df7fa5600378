import type { Batch, BatchEvent, ImageJob, State, Variant } from "../api/types";

/**
 * The batch after more of its log, in order. Pure, and safe to feed with events that the batch already shows: the
 * stream starts at the beginning of the log, so what is made stays made until the batch is reopened.
 * Images that did not change keep their identity, so that only what changed is drawn again.
 */
export function reduce(batch: Batch, events: readonly BatchEvent[]): Batch {
  const changed = new Map<string, ImageJob>();
  let { status } = batch;
  for (const event of events) {
    if (event.event.startsWith("batch.")) {
      status = batchStatus(event) ?? status;
    } else if (event.jobId) {
      const image = changed.get(event.jobId) ?? batch.files.find((file) => file.jobId === event.jobId);
      if (image) {
        const next = applyTo(image, event);
        if (next !== image) changed.set(event.jobId, next);
        if (status === "waiting") status = "processing";
      }
    }
  }
  if (changed.size === 0) return status === batch.status ? batch : { ...batch, status };
  const files = batch.files.map((file) => changed.get(file.jobId) ?? file);
  return { ...batch, status, files, progress: batch.files.length === batch.progress.total ? tally(files) : batch.progress };
}

function tally(files: readonly ImageJob[]): Batch["progress"] {
  const progress = { total: files.length, completed: 0, failed: 0, active: 0, waiting: 0, canceled: 0 };
  for (const file of files) progress[file.state] += 1;
  return progress;
}

function batchStatus(event: BatchEvent): Batch["status"] | undefined {
  if (event.event === "batch.reopened") return "processing";
  return ends(event) ? (event.status ?? (event.event === "batch.canceled" ? "canceled" : "completed")) : undefined;
}

/** Does the log end with this event? How the batch ended is in its status. */
export function ends(event: BatchEvent): boolean {
  return event.event === "batch.completed" || event.event === "batch.canceled";
}

const OVER: readonly State[] = ["completed", "failed", "canceled"];

/** One image after an event of its own. */
export function applyTo(image: ImageJob, event: BatchEvent): ImageJob {
  const [subject, verb] = event.event.split(".", 2);
  if (subject === "variant") {
    const index = image.variants.findIndex((variant) => variant.name === event.variant);
    const variant = image.variants[index];
    if (!variant) return image;
    const next = reduceVariant(variant, verb ?? "", event, image.bytes ?? 0);
    const state = image.state === "waiting" ? "active" : image.state;
    if (next === variant && state === image.state) return image;
    return { ...image, state, variants: image.variants.with(index, next) };
  }
  if (subject !== "image") return image;
  switch (verb) {
    case "started":
      return OVER.includes(image.state) ? image : { ...image, state: "active" };
    case "retrying":
    case "replayed":
      if (image.state === "completed") return image;
      return {
        ...image,
        state: "waiting",
        failedReason: null,
        errorCode: null,
        variants: image.variants.map((variant) =>
          variant.state === "completed" ? variant : { ...variant, state: "waiting", progress: 0, error: null },
        ),
      };
    case "completed":
    case "failed":
    case "canceled":
      return {
        ...image,
        state: verb,
        failedReason: verb === "failed" ? (event.reason ?? image.failedReason ?? null) : null,
        errorCode: verb === "failed" ? (event.errorCode ?? image.errorCode ?? null) : null,
        variants:
          verb === "completed"
            ? image.variants
            : image.variants.map((variant) => (OVER.includes(variant.state) ? variant : { ...variant, state: verb })),
      };
    default:
      return image;
  }
}

function reduceVariant(variant: Variant, verb: string, event: BatchEvent, before: number): Variant {
  if (variant.state === "completed" && verb !== "completed") return variant;
  switch (verb) {
    case "started":
    case "progress":
      return { ...variant, state: "active", progress: event.progress ?? variant.progress ?? 0 };
    case "completed":
      return {
        ...variant,
        state: "completed",
        progress: 100,
        url: event.url ?? variant.url ?? null,
        format: event.format ?? variant.format ?? null,
        width: event.width ?? variant.width ?? null,
        height: event.height ?? variant.height ?? null,
        bytes: event.bytes ?? variant.bytes ?? null,
        quality: event.quality ?? variant.quality ?? null,
        savedPercent: event.savedPercent ?? variant.savedPercent ?? savedPercent(before, event.bytes),
        error: null,
      };
    case "failed":
      return {
        ...variant,
        state: "failed",
        error: { code: event.errorCode ?? "internal-error", detail: event.reason ?? "" },
      };
    default:
      return variant;
  }
}

function savedPercent(before: number, after: number | undefined): number | null {
  return before > 0 && after !== undefined ? Math.round(1000 * (1 - after / before)) / 10 : null;
}

/** Sums for the summary: what went in, what came out, and how far it is. */
export interface Totals {
  images: number;
  failed: number;
  variants: number;
  made: number;
  notMade: number;
  bytesOut: number;
  /** Mean of what each variant saves against its photo, in percent; null before the first. */
  saved: number | null;
}

export function totals(batch: Batch): Totals {
  const sums: Totals = { images: batch.files.length, failed: 0, variants: 0, made: 0, notMade: 0, bytesOut: 0, saved: null };
  let saved = 0;
  for (const image of batch.files) {
    if (image.state === "failed") sums.failed += 1;
    for (const variant of image.variants) {
      sums.variants += 1;
      if (variant.state === "completed") {
        sums.made += 1;
        sums.bytesOut += variant.bytes ?? 0;
        saved += variant.savedPercent ?? 0;
      } else if (variant.state === "failed" || variant.state === "canceled") {
        sums.notMade += 1;
      }
    }
  }
  if (sums.made > 0) sums.saved = saved / sums.made;
  return sums;
}

export function isOver(status: Batch["status"]): boolean {
  return status === "completed" || status === "completed-with-errors" || status === "canceled";
}

/** The reason a variant was not made, as a sentence. */
export function reasonOf(variant: Variant): string | null {
  return variant.error ? variant.error.detail || variant.error.code : null;
}
