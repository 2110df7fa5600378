import { useSyncExternalStore } from "react";

/** The part of the address after its #. Without a jump of the page, and not seen by the router. */

const CHANGED = "pixelmill:hash";

export function setHash(hash: string, replace = false): void {
  const url = location.pathname + location.search + (hash && `#${hash}`);
  if (replace) history.replaceState(history.state, "", url);
  else history.pushState(history.state, "", url);
  dispatchEvent(new Event(CHANGED));
}

export function useHash(): string {
  return useSyncExternalStore(
    (listener) => {
      const names = ["hashchange", "popstate", CHANGED];
      for (const name of names) addEventListener(name, listener);
      return () => {
        for (const name of names) removeEventListener(name, listener);
      };
    },
    () => location.hash.slice(1),
  );
}
