import { useSyncExternalStore } from "react";
import type { Limits } from "../api/types";
import { drawn } from "../batch/originals";
import { bytes } from "../lib/format";
import { thumbnail } from "../lib/thumbnail";

/** One chosen photo, before it is sent. */
export interface Item {
  id: number;
  file: File;
  /** `undefined` while it is being drawn, `null` when the browser cannot draw it. */
  picture: string | null | undefined;
  /** Why the service refused it, when it was sent before. */
  refused: string | null;
}

let items: readonly Item[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: readonly Item[]): void {
  items = next;
  for (const listener of listeners) listener();
}

// Pictures come faster than a page of hundreds is drawn: those of a tenth of a second are shown together.
let fresh = new Map<number, string | null>();

function show(id: number, picture: string | null): void {
  if (fresh.size === 0)
    setTimeout(() => {
      const pictures = fresh;
      fresh = new Map();
      set(items.map((item) => (pictures.has(item.id) ? { ...item, picture: pictures.get(item.id) ?? null } : item)));
    }, 100);
  fresh.set(id, picture);
}

const sameFile = (a: File, b: File) => a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;

/** Adds photos; those that are not there yet. Kept outside React: they outlive a change of page. */
export function add(files: readonly File[]): Item[] {
  const wanted = files.filter((file) => !items.some((item) => sameFile(item.file, file)));
  const added = wanted.map((file): Item => ({ id: nextId++, file, picture: undefined, refused: null }));
  set([...items, ...added]);
  for (const { id, file } of added) {
    void thumbnail(file).then((picture) => {
      if (items.some((item) => item.id === id)) show(id, picture);
      else if (!drawn(file, picture) && picture) URL.revokeObjectURL(picture);
    });
  }
  return added;
}

/** Takes photos out. Their pictures stay valid when `keepPictures`, because another page shows them now. */
export function remove(ids: readonly number[], keepPictures = false): void {
  if (!keepPictures) {
    for (const item of items) if (ids.includes(item.id) && item.picture) URL.revokeObjectURL(item.picture);
  }
  set(items.filter((item) => !ids.includes(item.id)));
}

export function refuse(reasons: ReadonlyMap<number, string>): void {
  set(items.map((item) => (reasons.has(item.id) ? { ...item, refused: reasons.get(item.id) ?? null } : item)));
}

export function useSelection(): readonly Item[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => items,
  );
}

/** Which photos can be sent now, and in a sentence why each of the others cannot. */
export function judge(chosen: readonly Item[], limits: Limits | undefined): { good: Item[]; reasons: Map<number, string> } {
  const good: Item[] = [];
  const reasons = new Map<number, string>();
  for (const item of chosen) {
    if (item.refused) reasons.set(item.id, item.refused);
    else if (item.file.size === 0) reasons.set(item.id, "The file is empty.");
    else if (limits && item.file.size > limits.maxFileBytes)
      reasons.set(item.id, `${bytes(item.file.size)} is over the limit of ${bytes(limits.maxFileBytes)}.`);
    else if (limits && good.length >= limits.maxFiles)
      reasons.set(item.id, `Over ${limits.maxFiles} photos: it stays here for the next batch.`);
    else good.push(item);
  }
  return { good, reasons };
}
