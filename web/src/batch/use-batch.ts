import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { getBatch } from "../api/client";
import type { Batch, BatchEvent } from "../api/types";
import { ends, isOver, reduce } from "./reduce";

/** "live": events arrive; "lost": the connection broke and the browser tries again; "over": nothing more comes. */
export type Connection = "live" | "lost" | "over";

/** Milliseconds. */
const DRAW_EVERY = 100;

export const batchKey = (path: string) => ["batch", path] as const;

/**
 * A batch that keeps itself up to date: one read of its address, then its event stream until the end, then one more
 * read. A shared batch has signed addresses that events do not carry, so there each burst of events is one read more.
 */
export function useBatch(path: string, shared = false) {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>("live");
  const query = useQuery({
    queryKey: batchKey(path),
    queryFn: ({ signal }) => getBatch(path, signal),
    staleTime: Infinity,
  });
  const events = query.data?.links["events"];
  // A share signs its links anew at each read: the stream stays on the one that it was opened with.
  const newest = useRef(events);
  newest.current = events;
  const stream = events?.split("?")[0];
  const [turn, setTurn] = useState(0);
  const follow = query.data !== undefined && !isOver(query.data.status);
  // The number of the last event seen: what comes after it is asked for, should the batch be reopened.
  const last = useRef("");

  useEffect(() => {
    const address = newest.current;
    if (!follow || !address) return;
    const source = new EventSource(
      last.current ? `${address}${address.includes("?") ? "&" : "?"}lastEventId=${last.current}` : address,
    );
    let pending: BatchEvent[] = [];
    let timer = 0;
    let reading = 0;

    // Drawn ten times a second at most, however fast events come.
    const flush = () => {
      timer = 0;
      const batchOf = pending;
      pending = [];
      client.setQueryData<Batch>(batchKey(path), (batch) => batch && reduce(batch, batchOf));
    };
    let again = 0;
    const refresh = () => client.invalidateQueries({ queryKey: batchKey(path) });
    const receive = (message: MessageEvent<string>) => {
      let event: BatchEvent;
      try {
        event = JSON.parse(message.data) as BatchEvent;
      } catch {
        return;
      }
      last.current = message.lastEventId;
      if (shared) {
        reading ||= window.setTimeout(() => {
          reading = 0;
          void refresh();
        }, 1000);
        return;
      }
      pending.push(event);
      timer ||= window.setTimeout(flush, DRAW_EVERY);
      // The record has the last word: the log of a batch that was reopened has an end in its middle.
      // Closed before the service does it, or the browser would connect again.
      if (ends(event)) {
        source.close();
        void refresh().then(() => setTurn((before) => before + 1));
      }
    };
    source.onopen = () => setConnection("live");
    source.onerror = () => {
      setConnection("lost");
      // CLOSED: the browser has given up (a signed link has ended), or the log ended before we looked.
      if (source.readyState !== EventSource.CLOSED) return;
      again = window.setTimeout(() => void refresh().then(() => setTurn((before) => before + 1)), 2000);
    };
    source.onmessage = receive;
    return () => {
      source.close();
      clearTimeout(again);
      clearTimeout(reading);
      clearTimeout(timer);
    };
  }, [client, path, stream, turn, follow, shared]);

  return { ...query, connection: query.data && isOver(query.data.status) ? ("over" as const) : connection };
}
