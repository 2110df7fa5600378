import type { Batch, ImageJob, Presets, Problem } from "./types";

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

async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { headers: { Accept: "application/json" }, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, {});
  }
  const body = await response.text();
  if (!response.ok) throw new ApiError(response.status, parseProblem(body));
  return JSON.parse(body) as T;
}

export function getPresets(signal?: AbortSignal): Promise<Presets> {
  return getJson<Presets>("/presets", signal);
}

/** A whole batch: the pages of `files` beyond the first hundred are fetched too. */
export async function getBatch(id: string, signal?: AbortSignal): Promise<Batch> {
  const path = `/batches/${encodeURIComponent(id)}`;
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
