import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { getBatches, getPresets } from "../api/client";
import type { BatchStatus, BatchSummary } from "../api/types";
import { count } from "../lib/format";
import { ago, moment } from "../lib/time";
import { Button } from "../ui/button";
import { useTitle } from "../ui/use-title";

const STATUSES: { value: BatchStatus | ""; label: string }[] = [
  { value: "", label: "All" },
  { value: "processing", label: "In work" },
  { value: "completed", label: "Ready" },
  { value: "completed-with-errors", label: "With errors" },
  { value: "canceled", label: "Canceled" },
];

/** Every batch, newest first. */
export function BatchesPage() {
  const [status, setStatus] = useState<BatchStatus | "">("");
  const query = useInfiniteQuery({
    queryKey: ["batches", status],
    queryFn: ({ pageParam, signal }) =>
      getBatches({ ...(status ? { status } : {}), ...(pageParam ? { cursor: pageParam } : {}) }, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
    refetchOnWindowFocus: true,
  });
  const titles = useQuery({
    queryKey: ["presets"],
    queryFn: ({ signal }) => getPresets(signal),
    staleTime: 60_000,
    select: ({ presets }) => new Map(presets.map(({ name, title }) => [name, title])),
  });
  useTitle("Batches: Pixelmill");
  // What the recipe builder tries is gone in a minute, and nobody's batch.
  const batches = query.data?.pages.flatMap((page) => page.batches).filter((batch) => !batch.metadata["preview"]) ?? [];

  return (
    <div className="pt-6 sm:pt-10">
      <h1 className="text-[clamp(1.75rem,1.2rem+2.4vw,2.75rem)] leading-[1.08] font-semibold tracking-[-0.022em]">Batches</h1>
      <fieldset className="mt-5 mb-2 flex flex-wrap gap-1.5">
        <legend className="sr-only">Show</legend>
        {STATUSES.map(({ value, label }) => (
          <label
            key={value}
            className="relative inline-flex min-h-9 cursor-pointer items-center rounded-full border border-line bg-surface px-3.5 text-sm font-medium text-ink-soft has-checked:border-ink has-checked:bg-ink has-checked:text-paper has-focus-visible:outline-[2.5px] has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name="status"
              checked={status === value}
              onChange={() => setStatus(value)}
              className="absolute inset-0 appearance-none outline-none"
            />
            {label}
          </label>
        ))}
      </fieldset>
      {query.error && <p className="py-8 text-bad">{query.error.message}</p>}
      {query.data && batches.length === 0 && (
        <p className="py-14 text-lg text-ink-soft">
          {status === "" ? "Nothing has been made yet. " : "No batch is in this state. "}
          <Link href="/" className="font-semibold text-accent underline underline-offset-4">
            Make one
          </Link>
        </p>
      )}
      <ul className="min-h-[60dvh]">
        {batches.map((batch) => (
          <Line key={batch.batchId} batch={batch} preset={titles.data?.get(batch.preset ?? "") ?? batch.preset} />
        ))}
      </ul>
      {query.hasNextPage && (
        <Button className="mt-6" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show older ones
        </Button>
      )}
    </div>
  );
}

const LOOKS: Record<BatchStatus, { label: string; look: string }> = {
  waiting: { label: "Waiting", look: "bg-mat text-ink-soft" },
  processing: { label: "In work", look: "bg-accent-wash text-accent" },
  completed: { label: "Ready", look: "bg-good-wash text-good" },
  "completed-with-errors": { label: "With errors", look: "bg-bad-wash text-bad" },
  canceled: { label: "Canceled", look: "bg-mat text-ink-soft" },
};

function Line({ batch, preset }: { batch: BatchSummary; preset: string | null }) {
  const { progress, status, createdAt } = batch;
  const { label, look } = LOOKS[status];
  return (
    <li className="border-b border-line">
      <Link
        href={`/batches/${batch.batchId}`}
        className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-0.5 rounded-md py-3.5 hover:bg-sunken/70 sm:-mx-3 sm:grid-cols-[minmax(0,1fr)_minmax(0,1fr)_7rem_9rem] sm:px-3"
      >
        <span className="truncate font-semibold">{preset ?? "A recipe of its own"}</span>
        <span className="figures order-3 text-sm text-ink-soft sm:order-none">
          {count(progress.total, "photo")}
          {progress.failed > 0 && <span className="text-bad">, {progress.failed} failed</span>}
          {progress.waiting + progress.active > 0 && `, ${progress.completed} done`}
        </span>
        <span className={`justify-self-end rounded-full px-2.5 py-0.5 text-sm font-medium sm:justify-self-start ${look}`}>{label}</span>
        <time dateTime={createdAt} title={moment(createdAt)} className="figures order-4 justify-self-end text-sm text-ink-faint sm:order-none">
          {ago(createdAt)}
        </time>
      </Link>
    </li>
  );
}
