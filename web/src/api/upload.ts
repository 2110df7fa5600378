import { Upload } from "tus-js-client";
import { ApiError, csrfHeaders, parseProblem } from "./client";

export interface UploadOptions {
  /** Where an earlier try began to send it. */
  url: string | null;
  signal: AbortSignal;
  /** The address of the upload, as soon as there is one: from then on it can be resumed. */
  onUrl: (url: string) => void;
  /** Bytes that are sent. */
  onProgress: (sent: number) => void;
}

/** Below this a file goes with its first request; above, its address is known before its first byte. */
const SMALL = 256 * 1024;

/**
 * Sends one file by tus, from where it broke off. Resolves to its address. Throws {@link ApiError}; status 0 means that
 * the connection failed. When `signal` aborts, what was sent stays for another time.
 */
export function sendFile(file: File, { url, signal, onUrl, onProgress }: UploadOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new DOMException("Stopped", "AbortError"));
    const upload = new Upload(file, {
      endpoint: "/uploads/tus",
      uploadUrl: url,
      metadata: { filename: file.name, filetype: file.type },
      uploadDataDuringCreation: file.size <= SMALL,
      storeFingerprintForResuming: false,
      retryDelays: null,
      onBeforeRequest: (request) => {
        for (const [name, value] of Object.entries(csrfHeaders())) request.setHeader(name, value);
      },
      onUploadUrlAvailable: () => upload.url && onUrl(upload.url),
      onProgress,
      onSuccess: () => resolve(upload.url ?? ""),
      onError: (error) => {
        const response = "originalResponse" in error ? error.originalResponse : null;
        const status = response?.getStatus() ?? 0;
        reject(new ApiError(status, response && status > 0 ? parseProblem(response.getBody()) : {}));
      },
    });
    signal.addEventListener(
      "abort",
      () => {
        void upload.abort();
        reject(new DOMException("Stopped", "AbortError"));
      },
      { once: true },
    );
    upload.start();
  });
}

/** Gives up what was sent of a file. Best effort: the service forgets it by itself in time. */
export function dropFile(url: string): void {
  const headers = { "Tus-Resumable": "1.0.0", ...csrfHeaders() };
  void fetch(url, { method: "DELETE", headers, keepalive: true }).catch(() => undefined);
}
