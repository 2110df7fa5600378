import { useSyncExternalStore } from "react";
import { ApiError, makeFromUploads } from "../api/client";
import type { Accepted, Problem, What } from "../api/types";
import { rememberOriginals } from "../batch/originals";
import { kept } from "../lib/keep";
import { add, type Item, refuse, remove } from "./selection";

/**
 * Sends chosen photos, each by a resumable upload of its own, then makes one batch of them. Kept outside React and, with
 * the photos, in the browser's database: it goes on behind other pages, after a lost connection and after a reload.
 */
export type Sending =
  | { state: "idle" }
  | { state: "sending"; shares: ReadonlyMap<number, number>; sent: number; total: number; lost: boolean }
  | { state: "waiting"; left: number }
  | { state: "error"; message: string }
  | { state: "accepted"; batch: Accepted };

/** Where a file is going, and whether it is there. */
interface Place {
  url: string | null;
  done: boolean;
}

type Piece = Place & { file: File };

/** What is kept until the batch is accepted. */
interface Order {
  key: string;
  what: What;
  pieces: Piece[];
}

interface Places {
  key: string;
  places: Place[];
}

const KEPT = "sending";
/** Kept apart from the files, which need not be copied again for each of them that arrives. */
const PLACES = "sending.places";
/** Files that travel at the same time. */
const AT_ONCE = 3;
/** Milliseconds. */
const DRAW_EVERY = 100;
const LONGEST_WAIT = 10_000;

let sending: Sending = { state: "idle" };
let stopping: AbortController | null = null;
const listeners = new Set<() => void>();

function tell(next: Sending): void {
  sending = next;
  for (const listener of listeners) listener();
}

export function useSending(): Sending {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => sending,
  );
}

/** Forget how the last sending ended. */
export function clear(): void {
  if (sending.state === "error" || sending.state === "accepted") tell({ state: "idle" });
}

export function stop(): void {
  stopping?.abort();
}

export async function send(items: readonly Item[], what: What): Promise<void> {
  const order: Order = { key: randomKey(), what, pieces: items.map(({ file }) => ({ file, url: null, done: false })) };
  if (!(await alone(() => run(order, items)))) tell({ state: "error", message: "Another tab of this browser is sending. Wait until it is done." });
}

/** Goes on with what a reload broke off. Where the browser cannot tell whether another tab does so, it asks first. */
export async function resume(agreed = false): Promise<void> {
  if (sending.state !== "idle" && sending.state !== "waiting") return;
  const order = await unfinished();
  if (!order) return;
  if (!agreed && !locks()) return tell({ state: "waiting", left: order.pieces.filter(({ done }) => !done).length });
  await alone(async () => {
    // Another tab may have ended it while this one waited.
    const now = await unfinished();
    if (now) await run(now, add(now.pieces.map(({ file }) => file)));
  });
}

/** Gives up what a reload broke off. */
export async function discard(): Promise<void> {
  const order = await unfinished();
  await forget();
  tell({ state: "idle" });
  await dropAll(order?.pieces ?? []);
}

// Not there where the page has no secure origin.
const locks = () => (navigator as { locks?: LockManager }).locks;

/** One tab sends at a time; the others leave it to that one. */
async function alone(work: () => Promise<void>): Promise<boolean> {
  const manager = locks();
  if (!manager) {
    await work();
    return true;
  }
  return await manager.request("pixelmill.send", { ifAvailable: true }, async (lock) => {
    if (lock) await work();
    return lock !== null;
  });
}

async function run(order: Order, items: readonly Item[]): Promise<void> {
  const { sendFile } = await import("../api/upload");
  const abort = new AbortController();
  stopping = abort;
  const { signal } = abort;
  const { pieces } = order;
  const sent = pieces.map(({ file, done }) => (done ? file.size : 0));
  const total = pieces.reduce((sum, { file }) => sum + file.size, 0);
  const waiting = new Set<number>();
  let timer = 0;
  const draw = () => {
    timer = 0;
    if (signal.aborted) return;
    const share = (index: number) => (pieces[index]?.done ? 1 : (sent[index] ?? 0) / Math.max(1, pieces[index]?.file.size ?? 1));
    const shares = new Map(items.map(({ id }, index) => [id, share(index)]));
    tell({ state: "sending", shares, sent: sent.reduce((a, b) => a + b, 0), total, lost: waiting.size > 0 });
  };
  const drawSoon = () => (timer ||= window.setTimeout(draw, DRAW_EVERY));
  let saving = keep(KEPT, order);
  let due = false;
  const save = () => {
    if (due) return; // what waits to be saved is read when it is
    due = true;
    saving = saving.then(() => {
      due = false;
      return keep(PLACES, { key: order.key, places: pieces.map(({ url, done }) => ({ url, done })) } satisfies Places);
    });
  };
  draw();

  /** Tries until it is done or refused: a connection that is lost comes back. */
  const insist = async <T>(index: number, work: () => Promise<T>): Promise<T> => {
    for (let failures = 0; ; failures += 1) {
      try {
        const result = await work();
        if (waiting.delete(index)) drawSoon();
        return result;
      } catch (error) {
        if (signal.aborted || !(error instanceof ApiError) || !passing(error)) throw error;
        waiting.add(index);
        drawSoon();
        await pause(Math.min(LONGEST_WAIT, 500 * 2 ** failures), signal);
      }
    }
  };
  const sendPiece = async (index: number): Promise<void> => {
    const piece = pieces[index];
    if (!piece || piece.done) return;
    await insist(index, async () => {
      try {
        piece.url = await sendFile(piece.file, {
          url: piece.url,
          signal,
          onUrl: (url) => {
            piece.url = url;
            save();
          },
          onProgress: (bytes) => {
            sent[index] = bytes;
            if (waiting.delete(index) || bytes > 0) drawSoon();
          },
        });
      } catch (error) {
        if (!(error instanceof ApiError) || !piece.url || ![403, 404, 409, 410].includes(error.status)) throw error;
        // Another place than we thought: it is asked for. Else the service has forgotten it: from the beginning.
        if (error.status !== 409) piece.url = null;
        throw new ApiError(0, {});
      }
    });
    piece.done = true;
    sent[index] = piece.file.size;
    drawSoon();
    save();
  };

  try {
    const refused = new Map<number, string>();
    let next = 0;
    const carry = async () => {
      while (next < pieces.length) {
        const index = next++;
        try {
          await sendPiece(index);
        } catch (error) {
          const item = items[index];
          if (signal.aborted || !(error instanceof ApiError) || !item) throw error;
          refused.set(item.id, error.message);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, carry));
    const good = items.filter(({ id }) => !refused.has(id));
    if (refused.size > 0) refuse(refused);
    if (good.length === 0) throw new Refused();
    const taken = pieces.filter((_, index) => !refused.has(items[index]?.id ?? -1));
    const uploads = taken.map(({ file, url }) => ({ uploadId: (url ?? "").replace(/^.*\//, ""), name: file.name }));
    const batch = await insist(-1, () => makeFromUploads(uploads, order.what, order.key, signal));
    rememberOriginals(batch.batchId, good);
    remove(good.map(({ id }) => id), true);
    tell({ state: "accepted", batch });
  } catch (error) {
    abort.abort();
    if (error instanceof DOMException && error.name === "AbortError") tell({ state: "idle" });
    else tell({ state: "error", message: explain(error, items) });
    await dropAll(pieces);
  } finally {
    clearTimeout(timer);
    stopping = null;
    await saving;
    await forget();
  }
}

class Refused extends Error {}

/** What went wrong as a sentence; what concerns one photo stands beside it. */
function explain(error: unknown, items: readonly Item[]): string {
  if (error instanceof ApiError && error.problem.files) refuse(reasonsFor(items, error.problem.files));
  else if (!(error instanceof Refused)) return error instanceof Error ? error.message : String(error);
  return "None of these photos could be taken. Beside each stands why.";
}

/** Whether the same request may succeed later: no connection, too busy, a fault, or an earlier try that still runs. */
function passing({ status, problem }: ApiError): boolean {
  return status === 0 || status === 423 || status === 429 || status >= 500 || problem.code === "idempotency-running";
}

/** Until the time is over, or the browser is online again. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      if (signal.aborted) reject(new DOMException("Stopped", "AbortError"));
      else resolve();
    }
    window.addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}

// A browser that keeps nothing (a private window, a full disk) still sends; only a reload ends it then.
const keep = (name: string, value: Order | Places) => kept.put(name, value).catch(() => undefined);
const forget = () => Promise.all([KEPT, PLACES].map((name) => kept.delete(name).catch(() => undefined)));

/** What a reload broke off, as far as it had come. */
async function unfinished(): Promise<Order | undefined> {
  const order = await kept.get<Order>(KEPT).catch(() => undefined);
  const known = await kept.get<Places>(PLACES).catch(() => undefined);
  if (!order || known?.key !== order.key) return order;
  return { ...order, pieces: order.pieces.map((piece, index) => ({ ...piece, ...known.places[index] })) };
}

async function dropAll(pieces: readonly Piece[]): Promise<void> {
  const { dropFile } = await import("../api/upload");
  for (const { url } of pieces) if (url) dropFile(url);
}

/** `crypto.randomUUID` is for secure origins alone. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Refusals name files in the order they were sent; by name where the service names them. */
function reasonsFor(items: readonly Item[], files: NonNullable<Problem["files"]>): Map<number, string> {
  const reasons = new Map<number, string>();
  files.forEach((file, index) => {
    const name = file.originalName ?? file.name;
    const free = items.filter((item) => !reasons.has(item.id));
    const item = name === undefined ? items[index] : free.find((candidate) => candidate.file.name === name);
    const reason = file.reason ?? file.detail ?? file.errorCode;
    if (item && reason) reasons.set(item.id, reason);
  });
  return reasons;
}
