import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { getBatch } from "../api/client";
import type { Batch, BatchEvent } from "../api/types";
import { ends, isOver, reduce } from "./reduce";

/** "live": events arrive; "lost": the connection broke and the browser tries again; "over": nothing more comes. */
export type Connection = "live" | "lost" | "over";

const key = (id: string) => ["batch", id] as const;

/** A batch that keeps itself up to date: one read, then its event stream until the end, then one more read. */
export function useBatch(id: string) {
  const client = useQueryClient();
  const query = useQuery({ queryKey: key(id), queryFn: ({ signal }) => getBatch(id, signal), staleTime: Infinity });
  const [connection, setConnection] = useState<Connection>("live");
  const events = query.data?.links?.events ?? `/batches/${encodeURIComponent(id)}/events`;
  const follow = query.data !== undefined && !isOver(query.data.status);

  useEffect(() => {
    if (!follow) return;
    const source = new EventSource(events);
    let pending: BatchEvent[] = [];
    let frame = 0;

    // At most one drawing a frame, however fast events come.
    const flush = () => {
      frame = 0;
      const batchOf = pending;
      pending = [];
      client.setQueryData<Batch>(key(id), (batch) => batch && reduce(batch, batchOf));
    };
    const refresh = () => void client.invalidateQueries({ queryKey: key(id) });
    const receive = (message: MessageEvent<string>) => {
      let event: BatchEvent;
      try {
        event = JSON.parse(message.data) as BatchEvent;
      } catch {
        return;
      }
      if (ends(event)) {
        source.close();
        if (frame) cancelAnimationFrame(frame);
        flush();
        refresh(); // the record has the last word
        return;
      }
      pending.push(event);
      frame ||= requestAnimationFrame(flush);
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
