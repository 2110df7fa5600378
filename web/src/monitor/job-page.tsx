import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link } from "wouter";
import { useSession } from "../api/use-session";
import { VariantTile } from "../batch/variant-tile";
import { bytes, codeName, count, formatName } from "../lib/format";
import { moment, seconds } from "../lib/time";
import { Button } from "../ui/button";
import { Confirm } from "../ui/confirm";
import { useTitle } from "../ui/use-title";
import { getJob, type Job } from "./api";
import { ACTS, type Verb } from "./acts";
import { LOOKS } from "./jobs";
import { useLive } from "./live";

/** One image: what was made of it, every try, and how long each part took. */
export default function JobPage({ id }: { id: string }) {
  const { data: job, error } = useQuery({
    queryKey: ["job", id],
    queryFn: ({ signal }) => getJob(id, signal),
  });
  useLive();
  useTitle(`${job?.originalName ?? "Image"}: Pixelmill`);
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
  const [sure, setSure] = useState<Verb | null>(null);
  const act = useMutation({
    mutationFn: (verb: Verb) => ACTS[verb].run(job.jobId),
    onSettled: () => client.invalidateQueries({ queryKey: ["job", job.jobId] }),
  });
  const verbs = (Object.keys(ACTS) as Verb[]).filter(
    (verb) => session?.scopes.includes(ACTS[verb].scope) && ACTS[verb].fits(job) && (verb !== "purge" || job.originalUrl),
  );
  const { label, look } = LOOKS[job.state];
  return (
    <>
      <div className="mt-2 flex flex-wrap items-center gap-x-4 gap-y-3">
        <h1 className="text-3xl font-semibold tracking-tight [overflow-wrap:anywhere]">{job.originalName}</h1>
        <span className={`mr-auto rounded-full px-3 py-1 font-medium ${look}`}>{label}</span>
        {verbs.map((verb) => (
          <Button
            key={verb}
            disabled={act.isPending}
            className={verb === "purge" ? "text-bad!" : ""}
            onClick={() => (verb === "retry" ? act.mutate(verb) : setSure(verb))}
          >
            {LABELS[verb]}
          </Button>
        ))}
      </div>
      {sure && (
        <Confirm
          title={ACTS[sure].title}
          act={ACTS[sure].confirm("1")}
          onAct={() => act.mutate(sure)}
          onClose={() => setSure(null)}
        >
          1 image {ACTS[sure].says}
        </Confirm>
      )}
      <p className="figures mt-2 text-ink-soft">
        {bytes(job.bytes)}
        {job.format && `, ${formatName(job.format)}`}
        {job.width && `, ${job.width} × ${job.height}`}, accepted on {moment(job.createdAt)}, part of{" "}
        <Link href={`/batches/${job.batchId}`} className="underline decoration-line-strong underline-offset-4 hover:text-ink">
          a batch
        </Link>
        {job.originalUrl && (
          <>
            ,{" "}
            <a href={job.originalUrl} download className="underline decoration-line-strong underline-offset-4 hover:text-ink">
              original
            </a>
          </>
        )}
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
        <section aria-label="Pictures">
          {job.originalUrl && <Original key={job.originalUrl} url={job.originalUrl} name={job.originalName} />}
          <ul className="grid grid-cols-2 gap-x-4 gap-y-6 sm:grid-cols-[repeat(auto-fill,minmax(10.5rem,1fr))]">
            {job.variants.map((variant) => (
              <VariantTile key={variant.name} variant={variant} image={job} page={`/batches/${job.batchId}`} />
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
                  {one.traceback && (
                    <details className="mt-1">
                      <summary className="inline-flex min-h-9 items-center text-sm font-medium text-ink-soft underline decoration-line-strong underline-offset-4">
                        Traceback
                      </summary>
                      <Code label={`Traceback of try ${one.number}`}>{one.traceback}</Code>
                    </details>
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
          <Part title="Recipe">
            <details>
              <summary className="inline-flex min-h-9 items-center text-[0.9375rem] text-ink-soft underline decoration-line-strong underline-offset-4">
                {job.preset ?? "A recipe of its own"}, {count(job.variants.length, "variant")}
              </summary>
              <Code label="Recipe as JSON">{JSON.stringify(job.recipe, null, 2)}</Code>
            </details>
          </Part>
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

const LABELS: Record<Verb, string> = { retry: "Try again", cancel: "Cancel", purge: "Delete" };

/** The photo as it was sent, where this browser can draw it. */
function Original({ url, name }: { url: string; name: string }) {
  const [drawn, setDrawn] = useState(true);
  if (!drawn) return null;
  return (
    <figure className="mb-6">
      <div className="grid max-h-96 place-items-center overflow-hidden rounded-lg bg-mat p-3">
        <img src={url} alt={`${name}, as it was sent`} className="max-h-[22rem] max-w-full object-contain" onError={() => setDrawn(false)} />
      </div>
      <figcaption className="mt-2 text-sm text-ink-faint">Original</figcaption>
    </figure>
  );
}

function Code({ label, children }: { label: string; children: string }) {
  return (
    <pre
      tabIndex={0}
      role="region"
      aria-label={label}
      className="mt-1 max-h-80 overflow-auto rounded-lg bg-sunken p-3 font-mono text-[0.8125rem] leading-relaxed"
    >
      {children}
    </pre>
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
