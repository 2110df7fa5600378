import { type InfiniteData, useInfiniteQuery, type UseInfiniteQueryResult, useMutation, useQueryClient } from "@tanstack/react-query";
import { memo, useCallback, useDeferredValue, useEffect, useId, useMemo, useState } from "react";
import { Link } from "wouter";
import type { ImageJob, State } from "../api/types";
import { bytes, codeName, count, formatName } from "../lib/format";
import { Button } from "../ui/button";
import { Confirm } from "../ui/confirm";
import { Selected } from "./acts";
import { atLeast, getJobs, type JobFilter, type JobsPage, MOST, purgeAll, type Queue, replayAll } from "./api";

const STATES: { value: State | ""; label: string }[] = [
  { value: "", label: "All" },
  { value: "waiting", label: "Waiting" },
  { value: "active", label: "In work" },
  { value: "completed", label: "Done" },
  { value: "failed", label: "Failed" },
  { value: "canceled", label: "Canceled" },
];

interface Props {
  queue: Queue | undefined;
  filter: JobFilter;
  onFilter: (filter: JobFilter) => void;
  scopes: readonly string[];
}

/** Images by state, with search; failed ones grouped by what went wrong. */
export function Jobs({ queue, filter, onFilter, scopes }: Props) {
  const id = useId();
  const wanted = useDeferredValue(filter);
  const query = useInfiniteQuery({
    queryKey: ["jobs", wanted],
    queryFn: ({ pageParam, signal }) => getJobs(wanted, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: (before) => before,
  });
  const jobs = useMemo(() => query.data?.pages.flatMap((page) => page.jobs) ?? [], [query.data]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const choose = useCallback((id: string, on: boolean) => {
    setChosen((before) => {
      const next = new Set(before);
      if (on) next.add(id);
      else next.delete(id);
      return next;
    });
  }, []);
  // Another list: what was selected in the old one is not seen any more.
  const listed = JSON.stringify(wanted);
  useEffect(() => setChosen(new Set()), [listed]);
  const selected = jobs.filter((job) => chosen.has(job.jobId));
  const changes = scopes.includes("upload");
  const searching = useSearch(query, jobs.length === 0);

  return (
    <>
      <div className="flex flex-wrap items-end gap-x-6 gap-y-3">
        <fieldset className="flex flex-wrap gap-1.5">
          <legend className="sr-only">State</legend>
          {STATES.map(({ value, label }) => (
            <label
              key={value}
              className="relative inline-flex min-h-9 cursor-pointer items-center gap-2 rounded-full border border-line bg-surface px-3.5 text-sm font-medium text-ink-soft has-checked:border-ink has-checked:bg-ink has-checked:text-paper has-focus-visible:outline-[2.5px] has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
            >
              <input
                type="radio"
                name={id}
                checked={filter.state === value}
                onChange={() => onFilter({ ...filter, state: value, errorCode: "" })}
                className="absolute inset-0 appearance-none outline-none"
              />
              {label}
              {value !== "" && queue && <span className="figures">{atLeast(queue.counts[value] ?? 0)}</span>}
            </label>
          ))}
        </fieldset>
        <div className="min-w-48 flex-1 sm:max-w-72">
          <label htmlFor={`${id}-name`} className="sr-only">
            Part of the file’s name
          </label>
          <input
            id={`${id}-name`}
            type="search"
            placeholder="Search by file name"
            value={filter.name}
            onChange={(event) => onFilter({ ...filter, name: event.target.value })}
            className="min-h-9 w-full rounded-full border border-line-strong/70 bg-surface px-3.5 text-sm placeholder:text-ink-faint"
          />
        </div>
      </div>
      {filter.state === "failed" && queue && (
        <Errors queue={queue} filter={filter} onFilter={onFilter} scopes={scopes} />
      )}
      {query.error && <p className="py-6 text-bad">{query.error.message}</p>}
      {query.data && jobs.length === 0 && (
        <p role="status" className="py-10 text-ink-soft">
          {searching ? "Searching further back…" : filter.name || filter.errorCode ? "No image found." : "No image is in this state."}
        </p>
      )}
      {jobs.length > 0 && changes && (
        <label className="-mx-3 mt-3 flex min-h-11 cursor-pointer items-center gap-3 border-b border-line px-3 text-sm text-ink-soft">
          <Check
            checked={selected.length === jobs.length}
            mixed={selected.length > 0 && selected.length < jobs.length}
            onChange={(on) => setChosen(new Set(on ? jobs.map(({ jobId }) => jobId) : []))}
          />
          Select all {jobs.length} shown
        </label>
      )}
      <ul>
        {jobs.map((job) => (
          <Row key={job.jobId} job={job} chosen={chosen.has(job.jobId)} onChoose={changes ? choose : null} />
        ))}
      </ul>
      {query.hasNextPage && !searching && (
        <Button className="mt-5" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show older ones
        </Button>
      )}
      <Selected jobs={selected} scopes={scopes} onClear={() => setChosen(new Set())} />
    </>
  );
}

/** A search looks at ten thousand images a page: while nothing is found it goes on by itself, but not for ever. */
const MOST_PAGES = 30;

function useSearch(query: Pick<UseInfiniteQueryResult<InfiniteData<JobsPage>>, "data" | "error" | "hasNextPage" | "isFetching" | "fetchNextPage">, empty: boolean): boolean {
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const pages = query.data?.pages.length ?? 0;
  const further = empty && hasNextPage && pages < MOST_PAGES && !query.error;
  useEffect(() => {
    if (further && !isFetching) void fetchNextPage();
  }, [further, isFetching, fetchNextPage, pages]);
  return further;
}

function Check({ checked, mixed = false, label, onChange }: { checked: boolean; mixed?: boolean; label?: string; onChange: (on: boolean) => void }) {
  return (
    <input
      type="checkbox"
      aria-label={label}
      checked={checked}
      ref={(element) => {
        if (element) element.indeterminate = mixed;
      }}
      onChange={(event) => onChange(event.target.checked)}
      className="size-[1.125rem] shrink-0 accent-accent"
    />
  );
}

export const LOOKS: Record<State, { label: string; look: string }> = {
  waiting: { label: "Waiting", look: "bg-mat text-ink-soft" },
  active: { label: "In work", look: "bg-accent-wash text-accent" },
  completed: { label: "Done", look: "bg-good-wash text-good" },
  failed: { label: "Failed", look: "bg-bad-wash text-bad" },
  canceled: { label: "Canceled", look: "bg-mat text-ink-soft" },
};

interface RowProps {
  job: ImageJob;
  chosen: boolean;
  onChoose: ((id: string, on: boolean) => void) | null;
}

const Row = memo(function Row({ job, chosen, onChoose }: RowProps) {
  const { label, look } = LOOKS[job.state];
  const done = job.variants.filter((variant) => variant.state === "completed").length;
  return (
    <li
      className={`-mx-3 flex min-h-12 items-center gap-3 rounded-sm border-b border-line px-3 [contain-intrinsic-size:auto_3rem] [content-visibility:auto] ${chosen ? "bg-accent-wash" : ""}`}
    >
      {onChoose && (
        <label className="grid min-h-11 place-items-center">
          <Check checked={chosen} label={`Select ${job.originalName}`} onChange={(on) => onChoose(job.jobId, on)} />
        </label>
      )}
      <Link
        href={`/monitor/jobs/${job.jobId}`}
        className="grid min-w-0 flex-1 grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-0.5 rounded py-2 hover:underline hover:decoration-line-strong hover:underline-offset-4 sm:grid-cols-[minmax(0,2fr)_6.5rem_minmax(0,3fr)]"
      >
        <span className="truncate font-medium">{job.originalName}</span>
        <span className={`justify-self-end rounded-full px-2.5 py-0.5 text-sm font-medium sm:justify-self-start ${look}`}>{label}</span>
        <span className="figures col-span-2 truncate text-sm text-ink-soft sm:col-span-1">
          {job.failedReason
            ? `${codeName(job.errorCode ?? "")}. ${job.failedReason}`
            : `${bytes(job.bytes)}${job.format ? `, ${formatName(job.format)}` : ""}, ${done} of ${count(job.variants.length, "variant")}`}
        </span>
      </Link>
    </li>
  );
});

type Many = { verb: "replay" | "purge"; code: string; many: number };

function Errors({ queue, filter, onFilter, scopes }: Omit<Props, "queue"> & { queue: Queue }) {
  const client = useQueryClient();
  const [act, setAct] = useState<Many | null>(null);
  const [said, setSaid] = useState("");
  const run = useMutation({
    mutationFn: ({ verb, code }: Many) => (verb === "replay" ? replayAll(code) : purgeAll(code)),
    onSuccess: (many, { verb }) => setSaid(`${count(many, "image")} ${verb === "replay" ? "waiting again" : "deleted"}.`),
    onSettled: () => Promise.all(["jobs", "queue"].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
  const many = filter.errorCode
    ? (queue.errors.find(({ code }) => code === filter.errorCode)?.count ?? 0)
    : (queue.counts["failed"] ?? 0);
  return (
    <section aria-label="What went wrong" className="mt-4 rounded-xl border border-line bg-surface p-4">
      {queue.errors.length === 0 && <p className="text-[0.9375rem] text-ink-soft">Nothing has failed.</p>}
      <ul className="flex flex-wrap gap-x-1.5 gap-y-1.5">
        {queue.errors.map(({ code, count: number }) => (
          <li key={code}>
            <button
              type="button"
              aria-pressed={filter.errorCode === code}
              onClick={() => onFilter({ ...filter, errorCode: filter.errorCode === code ? "" : code })}
              className="inline-flex min-h-9 items-center gap-2 rounded-md border border-line px-3 text-sm font-medium text-ink-soft aria-pressed:border-bad aria-pressed:bg-bad-wash aria-pressed:text-bad"
            >
              {codeName(code)} <span className="figures">{atLeast(number)}</span>
            </button>
          </li>
        ))}
      </ul>
      <div className="mt-3 flex flex-wrap items-center gap-2">
        {many > 0 && scopes.includes("upload") && (
          <Button onClick={() => setAct({ verb: "replay", code: filter.errorCode, many })}>Try all {atLeast(many)} again…</Button>
        )}
        {many > 0 && scopes.includes("admin") && (
          <Button className="text-bad!" onClick={() => setAct({ verb: "purge", code: filter.errorCode, many })}>
            Delete all {atLeast(many)}…
          </Button>
        )}
        <p role="status" className="text-sm text-ink-soft">
          {run.isPending ? "One moment…" : run.error ? run.error.message : said}
        </p>
      </div>
      {act && (
        <Confirm
          title={act.verb === "replay" ? "Try again?" : "Delete for good?"}
          act={act.verb === "replay" ? `Try ${atLeast(act.many)} again` : `Delete ${atLeast(act.many)} for good`}
          keep="Keep as they are"
          onAct={() => run.mutate(act)}
          onClose={() => setAct(null)}
        >
          {act.many >= MOST ? `More than ${atLeast(act.many)} failed images` : `Up to ${count(act.many, "failed image")}`}
          {act.code && ` (${codeName(act.code).toLowerCase()})`}{" "}
          {act.verb === "replay"
            ? "will be done again. Their variants that are made stay."
            : "will be deleted with their originals and variants. That cannot be undone. Their batches count them as failed."}
        </Confirm>
      )}
    </section>
  );
}
