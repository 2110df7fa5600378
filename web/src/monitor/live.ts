import { type InfiniteData, type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { BatchEvent, ImageJob } from "../api/types";
import { applyTo } from "../batch/reduce";
import type { JobsPage, Sample } from "./api";

/** Milliseconds between two drawings of what has happened, and between two looks at the record because of it. */
const DRAW_EVERY = 250;
const LOOK_EVERY = 1000;
const TRY_AGAIN = 3000;
/** Samples of the last hour, one every ten seconds. */
const MOST_SAMPLES = 360;

/**
 * Keeps the monitor up to date by the service's event stream: what happened to an image is shown at once, counts and
 * lists are read again at most once a second while anything happens, and not at all otherwise. After a break (a closed
 * laptop) the browser says where it was, and is told what it missed.
 */
export function useLive(): "live" | "lost" {
  const client = useQueryClient();
  const [connection, setConnection] = useState<"live" | "lost">("live");
  useEffect(() => {
    let source: EventSource | null = null;
    let last = "";
    let pending: BatchEvent[] = [];
    const timers = { draw: 0, look: 0, open: 0 };

    const look = () => {
      timers.look = 0;
      lookAgain(client);
    };
    const draw = () => {
      timers.draw = 0;
      const news = pending;
      pending = [];
      show(client, news);
      timers.look ||= window.setTimeout(look, LOOK_EVERY);
    };
    const open = () => {
      source = new EventSource(last ? `/events?lastEventId=${encodeURIComponent(last)}` : "/events");
      let broken = false;
      source.onopen = () => {
        setConnection("live");
        // Samples are not in the log: those of the meantime are read.
        if (broken) void client.invalidateQueries({ queryKey: ["samples"] });
        if (broken) timers.look ||= window.setTimeout(look, 0);
        broken = false;
      };
      source.onerror = () => {
        broken = true;
        setConnection("lost");
        if (source?.readyState === EventSource.CLOSED) timers.open = window.setTimeout(open, TRY_AGAIN);
      };
      source.onmessage = (message: MessageEvent<string>) => {
        last = message.lastEventId;
        pending.push(JSON.parse(message.data) as BatchEvent);
        timers.draw ||= window.setTimeout(draw, DRAW_EVERY);
      };
      source.addEventListener("sample", (message: MessageEvent<string>) => {
        const sample = JSON.parse(message.data) as Sample;
        client.setQueryData<Sample[]>(["samples"], (before) => before && [...before, sample].slice(-MOST_SAMPLES));
        timers.look ||= window.setTimeout(look, 0);
      });
    };
    open();
    return () => {
      source?.close();
      for (const timer of Object.values(timers)) clearTimeout(timer);
    };
  }, [client]);
  return connection;
}

/** What happened to images that are shown, without a question to the service. */
function show(client: QueryClient, news: readonly BatchEvent[]): void {
  const byJob = new Map<string, BatchEvent[]>();
  for (const event of news) if (event.jobId) byJob.set(event.jobId, [...(byJob.get(event.jobId) ?? []), event]);
  const change = (job: ImageJob) => (byJob.get(job.jobId) ?? []).reduce(applyTo, job);
  client.setQueriesData<InfiniteData<JobsPage>>({ queryKey: ["jobs"] }, (data) => {
    if (!data) return data;
    const pages = data.pages.map((page) => {
      const jobs = page.jobs.map(change);
      return jobs.some((job, index) => job !== page.jobs[index]) ? { ...page, jobs } : page;
    });
    return pages.some((page, index) => page !== data.pages[index]) ? { ...data, pages } : data;
  });
  for (const id of byJob.keys()) void client.invalidateQueries({ queryKey: ["job", id] }, { cancelRefetch: false });
}

function lookAgain(client: QueryClient): void {
  for (const name of ["queue", "workers", "audit"]) void client.invalidateQueries({ queryKey: [name] }, { cancelRefetch: false });
  void client.invalidateQueries(
    // Further pages would move under the reader: there only what is shown changes.
    { queryKey: ["jobs"], predicate: ({ state }) => ((state.data as InfiniteData<JobsPage> | undefined)?.pages.length ?? 0) <= 1 },
    { cancelRefetch: false },
  );
}
