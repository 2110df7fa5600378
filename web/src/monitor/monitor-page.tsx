import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useSearchParams } from "wouter";
import { useSession } from "../api/use-session";
import { seconds } from "../lib/time";
import { Button } from "../ui/button";
import { useTitle } from "../ui/use-title";
import { Audit } from "./audit";
import { getQueue, getSamples, type JobFilter, setPaused } from "./api";
import { Jobs } from "./jobs";
import { useLive } from "./live";
import { Plots } from "./plots";
import { Workers } from "./workers";

const TABS = ["Images", "Workers", "Audit"] as const;

type Tab = (typeof TABS)[number];

/** What is looked at, kept in the address: it survives a look at one image and back, and can be sent to somebody. */
function usePlace() {
  const [params, setParams] = useSearchParams();
  const get = (name: string) => params.get(name) ?? "";
  const change = (values: Record<string, string>) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [name, value] of Object.entries(values)) {
          if (value === "") next.delete(name);
          else next.set(name, value);
        }
        return next;
      },
      { replace: true },
    );
  return {
    tab: TABS.find((name) => name === get("tab")) ?? "Images",
    setTab: (tab: Tab) => change({ tab: tab === "Images" ? "" : tab }),
    filter: { state: get("state") as JobFilter["state"], errorCode: get("errorCode"), name: get("name") },
    setFilter: (filter: JobFilter) => change({ ...filter }),
  };
}

/** The time, each second: what waits grows older also while nothing happens. */
function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Signal({ connection }: { connection: "live" | "lost" }) {
  const live = connection === "live";
  return (
    <p role="status" className={`inline-flex items-center gap-2 text-[0.9375rem] ${live ? "text-ink-soft" : "text-bad"}`}>
      <span aria-hidden="true" className={`size-2 rounded-full ${live ? "bg-good" : "bg-bad motion-safe:animate-breathe"}`} />
      {live ? "Live" : "Connection lost, trying again"}
    </p>
  );
}

/** How the service is, for those who run it. */
export default function MonitorPage() {
  const client = useQueryClient();
  const { data: session } = useSession();
  // A tenant sees its own images; how the service is, is for those who run it.
  const watches = session?.owner === "";
  const queue = useQuery({ queryKey: ["queue"], queryFn: ({ signal }) => getQueue(signal) });
  const samples = useQuery({
    queryKey: ["samples"],
    queryFn: ({ signal }) => getSamples(60, signal),
    enabled: watches,
  });
  const connection = useLive();
  const pause = useMutation({ mutationFn: setPaused, onSuccess: (now) => client.setQueryData(["queue"], now) });
  const { tab, setTab, filter, setFilter } = usePlace();
  useTitle("Monitor: Pixelmill");

  const { data } = queue;
  const admin = session?.scopes.includes("admin") ?? false;
  const now = useNow();
  const waits = data?.oldestWaiting ? Math.max(0, now - new Date(data.oldestWaiting).getTime()) / 1000 : null;
  const tabs = TABS.filter((name) => (name === "Workers" ? watches : name === "Images" || admin));

  return (
    <div className="pt-6 sm:pt-10">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <h1 className="mr-auto text-[clamp(1.75rem,1.2rem+2.4vw,2.75rem)] leading-[1.08] font-semibold tracking-[-0.022em]">
          Monitor
        </h1>
        <Signal connection={connection} />
        {data && (
          <p className="figures text-[0.9375rem] text-ink-soft">
            {data.paused === null
              ? "The queue does not answer"
              : data.paused
                ? "Paused: nothing new is taken"
                : waits !== null
                  ? `The oldest waits ${seconds(waits)}`
                  : "Nothing waits"}
          </p>
        )}
        {data && admin && watches && data.paused !== null && (
          <Button disabled={pause.isPending} onClick={() => pause.mutate(!data.paused)}>
            {data.paused ? "Resume" : "Pause"}
          </Button>
        )}
      </div>
      {(queue.error ?? pause.error) && (
        <p role="alert" className="mt-4 rounded-lg bg-bad-wash px-4 py-3 text-bad">
          {(queue.error ?? pause.error)?.message}
        </p>
      )}
      {watches && (
        <div className="mt-6 min-h-[13rem]">
          <Plots samples={samples.data ?? []} />
        </div>
      )}
      <div role="tablist" aria-label="Parts of the monitor" className="mt-8 mb-4 flex gap-1 border-b border-line">
        {tabs.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={tab === name}
            aria-controls="tab-panel"
            tabIndex={tab === name ? 0 : -1}
            onClick={() => setTab(name)}
            onKeyDown={(event) => {
              const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
              if (by === 0) return;
              const next = tabs[(tabs.indexOf(name) + by + tabs.length) % tabs.length] ?? name;
              setTab(next);
              document.getElementById(`tab-${next}`)?.focus();
            }}
            className="-mb-px min-h-11 rounded-t-md border-b-2 border-transparent px-3 font-medium text-ink-soft hover:text-ink aria-selected:border-accent aria-selected:text-ink"
          >
            {name}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`} className="min-h-[50dvh]">
        {tab === "Images" && <Jobs queue={data} filter={filter} onFilter={setFilter} scopes={session?.scopes ?? []} />}
        {tab === "Workers" && <Workers />}
        {tab === "Audit" && <Audit />}
      </div>
    </div>
  );
}
