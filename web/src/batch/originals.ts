import { useSyncExternalStore } from "react";

/** The photos that this tab sent, so that a batch shows them before the service has made anything. */
export interface Original {
  name: string;
  /** A small copy; `undefined` while it is being drawn, `null` when the browser cannot draw it. */
  picture: string | null | undefined;
  file: File;
}

const batches = new Map<string, Original[]>();
const listeners = new Set<() => void>();

export function rememberOriginals(
  batchId: string,
  items: readonly { file: File; picture: string | null | undefined }[],
): void {
  batches.set(
    batchId,
    items.map(({ file, picture }) => ({ name: file.name, picture, file })),
  );
}

/** A picture that was drawn after its photo was sent. False when no batch has that photo. */
export function drawn(file: File, picture: string | null): boolean {
  for (const originals of batches.values()) {
    const index = originals.findIndex((original) => original.file === file);
    const original = originals[index];
    if (original) {
      originals[index] = { ...original, picture };
      for (const listener of listeners) listener();
      return true;
    }
  }
  return false;
}

/** The original at this place of the batch, when this tab sent it. */
export function useOriginal(batchId: string, index: number, name: string): Original | undefined {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => {
      const originals = batches.get(batchId);
      const there = originals?.[index];
      return there?.name === name ? there : originals?.find((original) => original.name === name);
    },
  );
}
