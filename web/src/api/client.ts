import type { Schema } from "../recipe/schema";
import type { Accepted, Batch, BatchPage, BatchStatus, ImageJob, MadeShare, Presets, Preview, Problem, Recipe, Share, Variant, What } from "./types";

/** An answer that is not the one asked for, in the service's own words where it gave some. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(sentence(status, problem));
  }
}

function sentence(status: number, problem: Problem): string {
  if (problem.detail) return problem.detail;
  if (problem.title) return problem.title;
  if (status === 0) return "The service cannot be reached. Check that it runs, then try again.";
  if (status === 404) return "There is nothing at this address.";
  if (status >= 500) return "The service has a fault. Try again in a moment.";
  return `The service answered ${status}.`;
}

export function parseProblem(body: string): Problem {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Problem) : {};
  } catch {
    return {};
  }
}

let csrfToken: string | null = null;

/** What each request that changes something carries while this browser is signed in. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

export function csrfHeaders(): Record<string, string> {
  return csrfToken ? { "X-CSRF-Token": csrfToken } : {};
}

export async function ask<T>(path: string, options: Omit<RequestInit, "signal"> & { signal?: AbortSignal | undefined } = {}): Promise<T> {
  const { signal, ...rest } = options;
  let response: Response;
  try {
    const headers = {
      Accept: "application/json",
      ...(typeof rest.body === "string" ? { "Content-Type": "application/json" } : {}),
      ...(rest.method ? csrfHeaders() : {}),
      ...(rest.headers as Record<string, string> | undefined),
    };
    response = await fetch(path, { ...rest, headers, signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, {});
  }
  const body = await response.text();
  if (!response.ok) throw new ApiError(response.status, parseProblem(body));
  return (body ? JSON.parse(body) : undefined) as T;
}

function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return ask<T>(path, { signal });
}

export function getPresets(signal?: AbortSignal): Promise<Presets> {
  return getJson<Presets>("/presets", signal);
}

export const batchPath = (id: string) => `/batches/${encodeURIComponent(id)}`;

/** A whole batch from its address: the pages of `files` beyond the first hundred are fetched too. */
export async function getBatch(path: string, signal?: AbortSignal): Promise<Batch> {
  const batch = await getJson<Batch>(path, signal);
  const files: ImageJob[] = [...batch.files];
  let cursor = batch.nextCursor;
  while (cursor) {
    const page = await getJson<Batch>(`${path}?cursor=${encodeURIComponent(cursor)}`, signal);
    files.push(...page.files);
    cursor = page.nextCursor;
  }
  return { ...batch, files };
}

/** The JSON Schema of a recipe, made by the service from the models that check it. */
export function getRecipeSchema(signal?: AbortSignal): Promise<Schema> {
  return getJson<Schema>("/recipes/schema", signal);
}

/** Throws {@link ApiError} whose problem names the place that is wrong as `pointer`. */
export function validateRecipe(recipe: Recipe, signal?: AbortSignal): Promise<unknown> {
  return ask("/recipes/validate", { method: "POST", body: JSON.stringify(recipe), signal });
}

/** What a recipe of one variant really makes of a photo; `url` shows it. Waits for as long as the service needs. */
export async function previewRecipe(photo: File, recipe: Recipe, signal: AbortSignal): Promise<Variant> {
  const form = new FormData();
  form.append("recipe", JSON.stringify(recipe));
  form.append("image", photo, photo.name);
  const answer = await ask<Preview | Accepted>("/recipes/preview", { method: "POST", body: form, signal });
  if ("variants" in answer) {
    const [made] = answer.variants as unknown as (Variant & { dataUrl: string })[];
    if (made) return { ...made, url: made.dataUrl };
    throw new ApiError(500, {});
  }
  // A busy service names the batch instead.
  for (;;) {
    const { status, files } = await getJson<Batch>(answer.statusUrl, signal);
    const made = files[0]?.variants[0];
    if (made?.url) return made;
    if (status !== "waiting" && status !== "processing") throw new ApiError(422, { detail: files[0]?.failedReason ?? "It was not made." });
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** Has a failed image done again; what is made already stays. */
export function retryJob(jobId: string): Promise<unknown> {
  return ask(`/jobs/${encodeURIComponent(jobId)}/retry`, { method: "POST" });
}

export function cancelBatch(batchId: string): Promise<unknown> {
  return ask(batchPath(batchId), { method: "DELETE" });
}

export function getBatches(query: { status?: BatchStatus; cursor?: string }, signal?: AbortSignal): Promise<BatchPage> {
  return getJson<BatchPage>(`/batches?${new URLSearchParams({ ...query, limit: "30" })}`, signal);
}

export async function getShares(batchId: string, signal?: AbortSignal): Promise<Share[]> {
  return (await getJson<{ shares: Share[] }>(`${batchPath(batchId)}/shares`, signal)).shares;
}

/** `expiresIn` in seconds. The answer's `url` is told this once. */
export function makeShare(batchId: string, expiresIn: number): Promise<MadeShare> {
  const body = JSON.stringify({ expiresIn });
  return ask(`${batchPath(batchId)}/shares`, { method: "POST", body });
}

export function endShare({ batchId, shareId }: Share): Promise<unknown> {
  return ask(`${batchPath(batchId)}/shares/${encodeURIComponent(shareId)}`, { method: "DELETE" });
}

/** A batch of images that the service fetches itself. */
export function makeFromAddresses(addresses: readonly string[], what: What): Promise<Accepted> {
  const body = JSON.stringify({ sources: addresses.map((url) => ({ url })), ...what });
  return ask<Accepted>("/batches", { method: "POST", body });
}

/** A batch of finished uploads. With the same `key` it is made once, however often it is asked for. */
export function makeFromUploads(
  sources: readonly { uploadId: string; name: string }[],
  what: What,
  key: string,
  signal: AbortSignal,
): Promise<Accepted> {
  const headers = { "Idempotency-Key": key };
  return ask<Accepted>("/batches", { method: "POST", headers, body: JSON.stringify({ sources, ...what }), signal });
}
