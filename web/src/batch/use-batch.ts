import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { getBatch } from "../api/client";
import type { Batch, BatchEvent } from "../api/types";
import { ends, isOver, reduce } from "./reduce";

/** "live": events arrive; "lost": the connection broke and the browser tries again; "over": nothing more comes. */
export type Connection = "live" | "lost" | "over";

export const batchKey = (id: string) => ["batch", id] as const;

/** A batch that keeps itself up to date: one read, then its event stream until the end, then one more read. */
export function useBatch(id: string) {
  const client = useQueryClient();
  const query = useQuery({ queryKey: batchKey(id), queryFn: ({ signal }) => getBatch(id, signal), staleTime: Infinity });
  const [connection, setConnection] = useState<Connection>("live");
  const events = query.data?.links?.events ?? `/batches/${encodeURIComponent(id)}/events`;
  const follow = query.data !== undefined && !isOver(query.data.status);

  // The number of the last event seen: what comes after it is asked for, should the batch be reopened.
  const last = useRef("");

  useEffect(() => {
    if (!follow) return;
    const source = new EventSource(last.current ? `${events}?lastEventId=${last.current}` : events);
    let pending: BatchEvent[] = [];
    let frame = 0;

    // At most one drawing a frame, however fast events come.
    const flush = () => {
      frame = 0;
      const batchOf = pending;
      pending = [];
      client.setQueryData<Batch>(batchKey(id), (batch) => batch && reduce(batch, batchOf));
    };
    const refresh = () => void client.invalidateQueries({ queryKey: batchKey(id) });
    const receive = (message: MessageEvent<string>) => {
      let event: BatchEvent;
      try {
        event = JSON.parse(message.data) as BatchEvent;
      } catch {
        return;
      }
      last.current = message.lastEventId;
      pending.push(event);
      frame ||= requestAnimationFrame(flush);
      // The record has the last word: the log of a batch that was reopened has an end in its middle.
      if (ends(event)) refresh();
    };
    source.onopen = () => setConnection("live");
    source.onerror = () => {
      setConnection("lost");
      // CLOSED: the browser has given up, or the log ended before we looked. The record tells which.
      if (source.readyState === EventSource.CLOSED) setTimeout(refresh, 2000);
    };
    source.onmessage = receive;
    return () => {
      source.close();
      if (frame) cancelAnimationFrame(frame);
    };
  }, [client, id, events, follow]);

  return { ...query, connection: query.data && isOver(query.data.status) ? ("over" as const) : connection };
}
