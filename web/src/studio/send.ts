import { useCallback, useRef, useState } from "react";
import { ApiError } from "../api/client";
import type { Accepted } from "../api/types";
import { shareProgress, upload } from "../api/upload";
import { rememberOriginals } from "../batch/originals";
import { type Item, refuse, remove } from "./selection";

export type Sending =
  | { state: "idle" }
  | { state: "sending"; ids: number[]; shares: number[]; sent: number; total: number }
  | { state: "error"; message: string };

/** Sends chosen photos and tells how far it is. `onAccepted` gets the new batch. */
export function useSend(onAccepted: (accepted: Accepted) => void) {
  const [sending, setSending] = useState<Sending>({ state: "idle" });
  const controller = useRef<AbortController | null>(null);

  const send = useCallback(
    async (items: readonly Item[], what: { preset?: string; recipe?: string }) => {
      const abort = new AbortController();
      controller.current = abort;
      const ids = items.map((item) => item.id);
      const sizes = items.map((item) => item.file.size);
      const progress = (sent: number, total: number) =>
        setSending({ state: "sending", ids, shares: shareProgress(sizes, sent, total), sent, total });
      progress(0, sizes.reduce((a, b) => a + b, 0));
      try {
        const files = items.map((item) => item.file);
        const accepted = await upload(files, { ...what, signal: abort.signal, onProgress: progress });
        rememberOriginals(accepted.batchId, items);
        remove(ids, true);
        setSending({ state: "idle" });
        onAccepted(accepted);
      } catch (error) {
        if (error instanceof DOMException && error.name === "AbortError") return setSending({ state: "idle" });
        if (error instanceof ApiError && error.problem.files) {
          refuse(reasonsFor(items, error.problem.files));
          return setSending({ state: "error", message: "None of these photos could be taken. Beside each stands why." });
        }
        setSending({ state: "error", message: error instanceof Error ? error.message : String(error) });
      }
    },
    [onAccepted],
  );

  return { sending, send, stop: () => controller.current?.abort(), clear: () => setSending({ state: "idle" }) };
}

/** Refusals name files in the order they were sent; by name where the service names them. */
function reasonsFor(items: readonly Item[], files: NonNullable<ApiError["problem"]["files"]>): Map<number, string> {
  const reasons = new Map<number, string>();
  files.forEach((file, index) => {
    const name = file.originalName ?? file.name;
    const free = items.filter((item) => !reasons.has(item.id));
    const item = name === undefined ? items[index] : free.find((candidate) => candidate.file.name === name);
    const reason = file.reason ?? file.detail ?? file.errorCode;
    if (item && reason) reasons.set(item.id, reason);
  });
  return reasons;
}
