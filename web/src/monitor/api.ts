import { ask } from "../api/client";
import type { components } from "../api/schema";
import type { State } from "../api/types";

type Schemas = components["schemas"];
export type Queue = Schemas["QueueOut"];
export type Sample = Schemas["SampleOut"];
export type Worker = Schemas["WorkerOut"];
export type Job = Schemas["JobOut"];
export type JobsPage = Schemas["JobsPage"];
export type AuditPage = Schemas["AuditPage"];

type Signal = AbortSignal | undefined;

export interface JobFilter {
  state: State | "";
  errorCode: string;
  name: string;
}

function query(values: Record<string, string>): string {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "")).toString();
}

export const getQueue = (signal: Signal) => ask<Queue>("/queue", { signal });
export const getSamples = async (minutes: number, signal: Signal) =>
  (await ask<Schemas["StatsOut"]>(`/stats?minutes=${minutes}`, { signal })).samples;
export const getWorkers = async (signal: Signal) => (await ask<Schemas["WorkersOut"]>("/workers", { signal })).workers;
export const getJobs = (filter: JobFilter, cursor: string, signal: Signal) =>
  ask<JobsPage>(`/jobs?${query({ ...filter, cursor })}`, { signal });
export const getJob = (id: string, signal: Signal) => ask<Job>(`/jobs/${encodeURIComponent(id)}`, { signal });
export const getAudit = (cursor: string, signal: Signal) => ask<AuditPage>(`/audit?${query({ cursor })}`, { signal });
export const setPaused = (paused: boolean) => ask<Queue>(paused ? "/queue/pause" : "/queue/resume", { method: "POST" });
export const cancelJob = (id: string) => ask<Job>(`/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });

export const purgeDeadLetter = (id: string) => ask(`/dead-letters/${encodeURIComponent(id)}`, { method: "DELETE" });

/** Asks for a page after the other; the sum of what was done. */
async function inPages<T extends { nextCursor: string | null }>(page: (cursor: string) => Promise<T>, done: (told: T) => number): Promise<number> {
  let sum = 0;
  let cursor: string | null = "";
  while (cursor !== null) {
    const told: T = await page(cursor);
    sum += done(told);
    cursor = told.nextCursor;
  }
  return sum;
}

/** Has all dead letters, or those with a code, done again; how many there were. */
export const replayAll = (code: string) =>
  inPages<Schemas["Replayed"]>(
    (cursor) => {
      const body = JSON.stringify({ ...(code ? { code } : {}), ...(cursor ? { cursor } : {}) });
      return ask("/dead-letters/replay", { method: "POST", body });
    },
    ({ replayed }) => replayed,
  );

/** Deletes all dead letters, or those with a code, with their bytes; how many there were. */
export const purgeAll = (code: string) =>
  inPages<Schemas["Purged"]>(
    (cursor) => ask(`/dead-letters?${query({ code, cursor })}`, { method: "DELETE" }),
    ({ purged }) => purged,
  );

/** Counts stop here: there are so many at least. */
export const MOST = 10_000;

export const atLeast = (count: number) => (count >= MOST ? `${MOST.toLocaleString("en")}+` : count.toLocaleString("en"));
