import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { retryJob } from "../api/client";
import type { ImageJob } from "../api/types";
import { LOST } from "../batch/lost";
import { count } from "../lib/format";
import { Button } from "../ui/button";
import { Confirm } from "../ui/confirm";
import { cancelJob, purgeDeadLetter } from "./api";

/** What can be done to one image, or to many of them one after the other. */
export type Verb = "retry" | "cancel" | "purge";

interface Act {
  /** The scope that it needs. */
  scope: "upload" | "admin";
  fits: (job: ImageJob) => boolean;
  run: (jobId: string) => Promise<unknown>;
  button: (many: string) => string;
  title: string;
  /** What will happen, after the number of images. */
  says: string;
  confirm: (many: string) => string;
  done: string;
}

export const ACTS: Record<Verb, Act> = {
  retry: {
    scope: "upload",
    fits: (job) => job.state === "failed" && !LOST.has(job.errorCode ?? ""),
    run: retryJob,
    button: (many) => `Try ${many} again`,
    title: "Try again?",
    says: "will be done again. Variants that are made stay.",
    confirm: (many) => `Try ${many} again`,
    done: "waiting again",
  },
  cancel: {
    scope: "upload",
    fits: (job) => job.state === "waiting" || job.state === "active",
    run: cancelJob,
    button: (many) => `Cancel ${many}`,
    title: "Cancel?",
    says: "will not be made. Variants that are made stay.",
    confirm: (many) => `Cancel ${many}`,
    done: "canceled",
  },
  purge: {
    scope: "admin",
    fits: (job) => job.state === "failed" && !LOST.has(job.errorCode ?? ""),
    run: purgeDeadLetter,
    button: (many) => `Delete ${many}`,
    title: "Delete for good?",
    says: "will be deleted with their originals and variants. That cannot be undone. Their batches count them as failed.",
    confirm: (many) => `Delete ${many} for good`,
    done: "deleted",
  },
};

/** Requests that run at the same time. */
const AT_ONCE = 4;

/** Does it to each; how many it was done to, and why not to the others. */
async function toEach(verb: Verb, ids: readonly string[]): Promise<{ done: number; reasons: string[] }> {
  let next = 0;
  let done = 0;
  const reasons = new Set<string>();
  const work = async () => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
      try {
        await ACTS[verb].run(id);
        done += 1;
      } catch (error) {
        reasons.add(error instanceof Error ? error.message : String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done, reasons: [...reasons] };
}

interface SelectedProps {
  /** The images that are selected, as they stand now. */
  jobs: readonly ImageJob[];
  scopes: readonly string[];
  onClear: () => void;
}

/** What can be done to the selected images; a question that names their number comes first. */
export function Selected({ jobs, scopes, onClear }: SelectedProps) {
  const client = useQueryClient();
  const [asked, setAsked] = useState<{ verb: Verb; ids: string[] } | null>(null);
  const run = useMutation({
    mutationFn: ({ verb, ids }: { verb: Verb; ids: string[] }) => toEach(verb, ids),
    onSuccess: onClear,
    onSettled: () => Promise.all(["jobs", "queue", "job"].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
  const verbs = (Object.keys(ACTS) as Verb[]).filter((verb) => scopes.includes(ACTS[verb].scope));
  const { data, variables } = run;
  return (
    <>
      <div
        className={`sticky bottom-3 z-10 mt-4 flex flex-wrap items-center gap-2 rounded-xl border border-line-strong/60 bg-surface p-2 pl-4 shadow-card ${jobs.length === 0 && !run.isPending && !data ? "hidden" : ""}`}
      >
        <p role="status" className="figures mr-auto text-[0.9375rem]">
          {run.isPending
            ? "One moment…"
            : jobs.length > 0
              ? `${jobs.length} selected`
              : data && variables && `${count(data.done, "image")} ${ACTS[variables.verb].done}. ${data.reasons.join(" ")}`}
        </p>
        {verbs.map((verb) => {
          const ids = jobs.filter(ACTS[verb].fits).map(({ jobId }) => jobId);
          return (
            ids.length > 0 && (
              <Button key={verb} disabled={run.isPending} className={verb === "purge" ? "text-bad!" : ""} onClick={() => setAsked({ verb, ids })}>
                {ACTS[verb].button(String(ids.length))}…
              </Button>
            )
          );
        })}
        <Button
          look="quiet"
          onClick={() => {
            run.reset();
            onClear();
          }}
        >
          {jobs.length > 0 ? "Select none" : "Close"}
        </Button>
      </div>
      {asked && (
        <Confirm
          title={ACTS[asked.verb].title}
          act={ACTS[asked.verb].confirm(String(asked.ids.length))}
          onAct={() => run.mutate(asked)}
          onClose={() => setAsked(null)}
        >
          {count(asked.ids.length, "image")} {ACTS[asked.verb].says}
        </Confirm>
      )}
    </>
  );
}
