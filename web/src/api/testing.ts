/** Whole values for tests, as the service gives them before anything is made. */
import type { Batch, ImageJob, Variant } from "./types";

export function testVariant(name: string): Variant {
  return {
    name,
    state: "waiting",
    progress: 0,
    url: null,
    deliveredUrl: null,
    format: null,
    width: null,
    height: null,
    bytes: null,
    quality: null,
    savedPercent: null,
    error: null,
  };
}

export function testImage(jobId: string, variants: readonly string[]): ImageJob {
  return {
    jobId,
    originalName: `${jobId}.jpg`,
    state: "waiting",
    result: null,
    failedReason: null,
    errorCode: null,
    width: null,
    height: null,
    bytes: 1000,
    format: "jpeg",
    variants: variants.map(testVariant),
  };
}

export function testBatch(files: ImageJob[]): Batch {
  return {
    batchId: "b",
    status: "waiting",
    progress: { total: files.length, completed: 0, failed: 0, active: 0, waiting: files.length, canceled: 0 },
    createdAt: "2026-11-22T06:00:00.000Z",
    finishedAt: null,
    preset: null,
    metadata: {},
    retention: { originalsUntil: null, resultsUntil: null, originalsDeleted: false, resultsDeleted: false },
    links: {},
    files,
    nextCursor: null,
  };
}
