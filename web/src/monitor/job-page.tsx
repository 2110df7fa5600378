import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect } from "react";
import { Link } from "wouter";
import { retryJob } from "../api/client";
import { useSession } from "../api/use-session";
import { LOST } from "../batch/lost";
import { VariantTile } from "../batch/variant-tile";
import { bytes, codeName, formatName } from "../lib/format";
import { moment, seconds } from "../lib/time";
import { Button } from "../ui/button";
import { cancelJob, getJob, type Job } from "./api";
import { LOOKS } from "./jobs";
import { LOOK_AGAIN } from "./monitor-page";

const OVER = ["completed", "failed", "canceled"];

/** One image: what was made of it, every try, and how long each part took. */
export default function JobPage({ id }: { id: string }) {
  const { data: job, error } = useQuery({
    queryKey: ["job", id],
    queryFn: ({ signal }) => getJob(id, signal),
    refetchInterval: ({ state }) => (state.data && OVER.includes(state.data.state) ? false : LOOK_AGAIN),
  });
  useEffect(() => {
    document.title = `${job?.originalName ?? "Image"}: Pixelmill`;
  }, [job?.originalName]);
  return (
    <div className="pt-6 sm:pt-10">
      <Link href="/monitor" className="text-[0.9375rem] font-medium text-ink-soft underline decoration-line-strong underline-offset-4">
        Monitor
      </Link>
      {error && <p className="py-10 text-bad">{error.message}</p>}
      {job ? <Shown job={job} /> : <div className="min-h-[60dvh]" />}
    </div>
  );
}

function Shown({ job }: { job: Job }) {
  const client = useQueryClient();
  const { data: session } = useSession();
  const upload = session?.scopes.includes("upload") ?? false;
  const act = useMutation({
    mutationFn: (verb: "retry" | "cancel") => (verb === "retry" ? retryJob(job.jobId) : cancelJob(job.jobId)),
    onSettled: () => client.invalidateQueries({ queryKey: ["job", job.jobId] }),
  });
  const { label, look } = LOOKS[job.state];
  return (
    <>
      <div className="mt-2 flex flex-wrap items-center gap-x-4 gap-y-3">
        <h1 className="text-3xl font-semibold tracking-tight [overflow-wrap:anywhere]">{job.originalName}</h1>
        <span className={`mr-auto rounded-full px-3 py-1 font-medium ${look}`}>{label}</span>
        {upload && job.state === "failed" && !LOST.has(job.errorCode ?? "") && (
          <Button disabled={act.isPending} onClick={() => act.mutate("retry")}>
            Try again
          </Button>
        )}
        {upload && !OVER.includes(job.state) && (
          <Button disabled={act.isPending} onClick={() => act.mutate("cancel")}>
            Cancel
          </Button>
        )}
      </div>
      <p className="figures mt-2 text-ink-soft">
        {bytes(job.bytes)}
        {job.format && `, ${formatName(job.format)}`}
        {job.width && `, ${job.width} × ${job.height}`}, accepted on {moment(job.createdAt)}, part of{" "}
        <Link href={`/batches/${job.batchId}`} className="underline decoration-line-strong underline-offset-4 hover:text-ink">
          a batch
        </Link>
      </p>
      {act.error && (
        <p role="alert" className="mt-3 text-bad">
          {act.error.message}
        </p>
      )}
      {job.failedReason && (
        <p className="mt-4 rounded-lg bg-bad-wash px-4 py-3 text-bad">
          {job.errorCode && <strong className="font-semibold">{codeName(job.errorCode)}. </strong>}
          {job.failedReason}
        </p>
      )}
      <div className="mt-8 grid gap-x-12 gap-y-8 lg:grid-cols-[minmax(0,1fr)_24rem]">
        <section aria-label="Variants">
          <ul className="grid grid-cols-2 gap-x-4 gap-y-6 sm:grid-cols-[repeat(auto-fill,minmax(10.5rem,1fr))]">
            {job.variants.map((variant) => (
              <VariantTile key={variant.name} variant={variant} image={job} opens={false} />
            ))}
          </ul>
        </section>
        <div className="space-y-8">
          <Part title="Tries">
            {job.attempts.length === 0 && <p className="text-ink-soft">None yet.</p>}
            <ol>
              {job.attempts.map((one) => (
                <li key={one.number} className="border-t border-line py-2 text-[0.9375rem]">
                  <p className="flex justify-between gap-4">
                    <span className="font-medium">
                      {one.number}. {one.outcome ?? "runs now"}
                    </span>
                    <span className="figures text-ink-soft">{one.endedAt && took(one.startedAt, one.endedAt)}</span>
                  </p>
                  {one.reason && (
                    <p className="text-sm text-bad">
                      {one.errorCode && `${codeName(one.errorCode)}. `}
                      {one.reason}
                    </p>
                  )}
                </li>
              ))}
            </ol>
          </Part>
          {Object.keys(job.timings).length > 0 && (
            <Part title="Time">
              <Timings timings={job.timings} />
            </Part>
          )}
          <Part title="Log">
            <ol className="figures text-sm">
              {job.log.map((line, index) => (
                <li key={index} className="flex gap-3 border-t border-line py-1.5">
                  <time dateTime={line.at} title={moment(line.at)} className="shrink-0 text-ink-faint">
                    {new Date(line.at).toLocaleTimeString("en-GB")}
                  </time>
                  <span className="[overflow-wrap:anywhere]">{line.message}</span>
                </li>
              ))}
            </ol>
          </Part>
        </div>
      </div>
    </>
  );
}

const took = (from: string, to: string) => seconds((new Date(to).getTime() - new Date(from).getTime()) / 1000);

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h2 className="mb-1.5 text-lg font-semibold tracking-tight">{title}</h2>
      {children}
    </section>
  );
}

function Timings({ timings }: { timings: Record<string, number> }) {
  const rows = Object.entries(timings);
  const longest = Math.max(...rows.map(([, value]) => value), 0.001);
  return (
    <ul>
      {rows.map(([name, value]) => (
        <li key={name} className="grid grid-cols-[7rem_minmax(0,1fr)_4rem] items-center gap-3 py-1 text-[0.9375rem]">
          <span className="truncate">{name}</span>
          <span aria-hidden="true" className="h-2 rounded-full bg-mat">
            <span
              className="block h-full origin-left rounded-full bg-ink-faint"
              style={{ transform: `scaleX(${value / longest})` }}
            />
          </span>
          <span className="figures text-right text-ink-soft">{seconds(value)}</span>
        </li>
      ))}
    </ul>
  );
}
