import { ApiError, csrfHeaders, parseProblem } from "./client";
import type { Accepted } from "./types";

export interface UploadOptions {
  preset?: string;
  recipe?: string;
  signal: AbortSignal;
  /** Bytes of the request that have left this machine, and of how many. */
  onProgress: (sent: number, total: number) => void;
}

/**
 * Sends files to `POST /process-images`. By XMLHttpRequest, because `fetch` cannot tell how far an upload is.
 * Throws {@link ApiError}; status 0 means that the connection failed, and `AbortError` that the person stopped it.
 */
export function upload(files: readonly File[], options: UploadOptions): Promise<Accepted> {
  const form = new FormData();
  // Fields first: the service reads the body as it arrives.
  if (options.preset) form.append("preset", options.preset);
  if (options.recipe) form.append("recipe", options.recipe);
  for (const file of files) form.append("images", file, file.name);

  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/process-images");
    request.setRequestHeader("Accept", "application/json");
    for (const [name, value] of Object.entries(csrfHeaders())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => options.onProgress(event.loaded, event.total);
    request.upload.onload = (event) => options.onProgress(event.total, event.total);
    request.onerror = () =>
      reject(new ApiError(0, { detail: "The connection broke before everything was sent. Nothing was kept; send again." }));
    request.onabort = () => reject(new DOMException("Stopped", "AbortError"));
    request.onload = () => {
      if (request.status === 202) resolve(JSON.parse(request.responseText) as Accepted);
      else reject(new ApiError(request.status, parseProblem(request.responseText)));
    };
    options.signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/**
 * How much of each file is sent, from 0 to 1, given the progress of the whole request: files travel one after
 * the other, and what surrounds them in the multipart body is shared out by size.
 */
export function shareProgress(sizes: readonly number[], sent: number, total: number): number[] {
  const sum = sizes.reduce((a, b) => a + b, 0);
  let left = total > 0 ? (sent / total) * sum : 0;
  const done = total > 0 && sent >= total;
  return sizes.map((size) => {
    const here = Math.min(size, Math.max(0, left));
    left -= size;
    if (done) return 1;
    return size > 0 ? here / size : left > 0 ? 1 : 0;
  });
}
