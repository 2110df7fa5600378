import { useEffect, useState } from "react";
import { filesOf } from "../lib/drops";

/** Photos dropped anywhere on the page, or pasted. Returns whether files hang over the page now. */
export function useFilesFromAnywhere(take: (files: readonly File[]) => void, open: boolean): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!open) return;
    let depth = 0; // the browser tells of every element that is entered and left
    const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (!carries(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!carries(event)) return;
      depth -= 1;
      if (depth <= 0) setOver(false);
    };
    const hover = (event: DragEvent) => {
      if (carries(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer || !carries(event)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      void filesOf(event.dataTransfer).then(take);
    };
    const paste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      take(files);
    };
    const listeners = new AbortController();
    const { signal } = listeners;
    window.addEventListener("dragenter", enter, { signal });
    window.addEventListener("dragleave", leave, { signal });
    window.addEventListener("dragover", hover, { signal });
    window.addEventListener("drop", drop, { signal });
    window.addEventListener("paste", paste, { signal });
    return () => {
      listeners.abort();
      setOver(false);
    };
  }, [take, open]);
  return over;
}
