import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { bytes } from "../lib/format";
import { ago, seconds } from "../lib/time";
import { getJob, getWorkers } from "./api";

interface Doing {
  jobId?: string;
  seconds?: number;
}

/** The processes that are alive, and what each does now. */
export function Workers() {
  const { data, error } = useQuery({
    queryKey: ["workers"],
    queryFn: ({ signal }) => getWorkers(signal),
  });
  if (error) return <p className="text-bad">{error.message}</p>;
  return (
    <ul>
      {data?.map((worker) => {
        const memory = worker.doing["memory"];
        const doing = Array.isArray(worker.doing["images"]) ? (worker.doing["images"] as Doing[]) : [];
        return (
          <li key={worker.id} className="grid gap-x-6 gap-y-1 border-b border-line py-3 sm:grid-cols-[8rem_minmax(0,1fr)_auto]">
            <p className="font-semibold">{worker.kind === "api" ? "API" : "Worker"}</p>
            <div className="min-w-0 text-[0.9375rem] text-ink-soft">
              {worker.kind !== "api" && doing.length === 0 && worker.doing["stopping"] !== true && "waits for work"}
              {worker.doing["stopping"] === true && <span className="mr-4">stops when it is done</span>}
              {doing.map((one, index) => {
                const image = one.jobId ?? "";
                return (
                  <span key={image || index} className="mr-4 inline-block">
                    <Link href={`/monitor/jobs/${image}`} className="underline decoration-line-strong underline-offset-4 hover:text-ink">
                      <Name id={image} />
                    </Link>
                    {one.seconds !== undefined && ` for ${seconds(one.seconds)}`}
                  </span>
                );
              })}
            </div>
            <p className="figures text-sm text-ink-faint">
              {worker.host}, process {worker.pid}, version {worker.version}, started {ago(worker.startedAt)}
              {typeof memory === "number" && memory > 0 && `, holds ${bytes(memory)}`}
            </p>
          </li>
        );
      })}
    </ul>
  );
}

/** What an image is called; its number until that is known. */
function Name({ id }: { id: string }) {
  const { data } = useQuery({ queryKey: ["job", id], queryFn: ({ signal }) => getJob(id, signal), staleTime: 60_000 });
  return data?.originalName ?? `…${id.slice(-8)}`;
}
