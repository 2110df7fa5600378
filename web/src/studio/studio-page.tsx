import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useLocation } from "wouter";
import { getPresets } from "../api/client";
import type { Accepted } from "../api/types";
import { filesOf } from "../lib/drops";
import { isZip } from "../lib/archives";
import { bytes, count } from "../lib/format";
import { useTidy } from "../recipe/use-form";
import { Bar } from "../ui/bar";
import { Button } from "../ui/button";
import { ArrowIcon, WarningIcon } from "../ui/icons";
import { useSay, useWorking } from "../ui/status";
import { type Choice, useChoice } from "./choice";
import { EmptyTable } from "./empty-table";
import { LightTable } from "./light-table";
import { Frames, Presets } from "./presets";
import { add, type Item, judge, remove, useSelection } from "./selection";
import { clear, discard, resume, type Sending, send, stop, useSending } from "./send";

const Preview = lazy(() => import("../recipe/preview").then((module) => ({ default: module.Preview })));
const Builder = lazy(() => import("../recipe/builder").then((module) => ({ default: module.Builder })));
const AddressDialog = lazy(() => import("./address-dialog").then((module) => ({ default: module.AddressDialog })));
const CodeDialog = lazy(() => import("../recipe/code-dialog").then((module) => ({ default: module.CodeDialog })));

function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

export function StudioPage() {
  useTitle("Pixelmill: make every size of a photo");
  const [, navigate] = useLocation();
  const say = useSay();
  const items = useSelection();
  const offer = useQuery({ queryKey: ["presets"], queryFn: ({ signal }) => getPresets(signal), staleTime: 60_000 });
  const presets = offer.data?.presets ?? [];
  const limits = offer.data?.limits;
  const { choice, choose, changeOwn } = useChoice(presets);
  const [valid, setValid] = useState(true);
  const [open, setOpen] = useState(0);
  const wide = useMedia("(min-width: 64rem)");
  const [asking, setAsking] = useState(false);
  const [code, setCode] = useState<Choice | null>(null);
  const tidy = useTidy();
  const { good, reasons } = useMemo(() => judge(items, limits), [items, limits]);

  const accepted = useCallback(
    (batch: Accepted) => {
      navigate(`/batches/${batch.batchId}`);
      window.scrollTo(0, 0);
    },
    [navigate],
  );
  const [trouble, setTrouble] = useState<string | null>(null);
  const sending = useSending();
  const busy = sending.state === "sending";
  useEffect(() => void resume(), []);
  useEffect(() => {
    if (sending.state !== "accepted") return;
    clear();
    accepted(sending.batch);
  }, [sending, accepted]);
  useWorking(busy);

  const take = useCallback(
    (files: readonly File[]) => {
      if (files.length === 0) return;
      clear();
      setTrouble(null);
      void opened(files).then(({ photos, troubles }) => {
        const added = add(photos);
        if (troubles.length > 0) setTrouble(troubles.join(" "));
        else say(added.length === 0 ? "These photos are here already." : `${count(added.length, "photo")} added.`);
      });
    },
    [say],
  );
  const over = useFilesFromAnywhere(take, !busy);

  const input = useRef<HTMLInputElement>(null);
  const browse = useCallback(() => input.current?.click(), []);
  const shares = sending.state === "sending" ? sending.shares : null;
  const heading = useRef<HTMLHeadingElement>(null);
  const picture = items.find((item) => item.picture)?.picture ?? "/samples/field-small.jpg";
  const shown = choice?.preset === null ? (choice.recipe.variants[open] ?? choice.recipe.variants[0]) : undefined;
  const preview = shown && <Preview photo={good[0]?.file ?? null} variant={shown} valid={valid} />;

  const drop = useCallback(
    (item: Item) => {
      remove([item.id]);
      say(`${item.file.name} removed.`);
      heading.current?.focus();
    },
    [say],
  );

  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        accept="image/*,.heic,.heif,.avif,.jxl,.tif,.tiff,.zip"
        className="hidden"
        aria-label="Choose photos"
        onChange={(event) => {
          take([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-x-12 gap-y-8 pt-6 sm:pt-10 lg:grid-cols-[minmax(0,1fr)_25rem] lg:grid-rows-[auto_1fr]">
        <div>
          <h1
            ref={heading}
            tabIndex={-1}
            className="text-[clamp(2rem,1.2rem+2.9vw,3.1rem)] leading-[1.06] font-semibold tracking-[-0.025em] outline-none"
          >
            One photo in, every size out.
          </h1>
          <p className="mt-3 max-w-[58ch] text-lg leading-relaxed text-ink-soft">
            Add your photos, choose what to make, and watch each variant arrive, ready to download.
          </p>
        </div>
        <section aria-label="Photos" className="min-w-0 lg:col-start-1 lg:self-stretch">
          {trouble && <Notice>{trouble}</Notice>}
          {items.length === 0 ? (
            <EmptyTable limits={limits} over={over} onBrowse={browse} onFiles={take} />
          ) : (
            <div
              className={`rounded-2xl bg-sunken p-3 ring-1 transition-shadow sm:p-5 ${over ? "ring-2 ring-accent" : "ring-line"}`}
            >
              <LightTable items={items} reasons={reasons} shares={shares} onRemove={drop} onAdd={browse} />
            </div>
          )}
          <div className="figures mt-2 flex flex-wrap items-center justify-between gap-x-6 text-sm text-ink-faint">
            <p>
              {items.length > 0 &&
                limits &&
                `Up to ${count(limits.maxFiles, "photo")} in one batch, ${bytes(limits.maxFileBytes)} each.`}
            </p>
            <TextButton onClick={() => setAsking(true)}>Take photos from the web</TextButton>
          </div>
          {wide && preview && (
            <Suspense>
              <div className="sticky top-6 mt-6">{preview}</div>
            </Suspense>
          )}
        </section>
        <section aria-label="What to make" className="lg:sticky lg:top-6 lg:col-start-2 lg:row-span-2 lg:row-start-1">
          {offer.error ? (
            <Notice>
              {offer.error.message}{" "}
              <button type="button" className="font-semibold underline underline-offset-4" onClick={() => void offer.refetch()}>
                Ask again
              </button>
            </Notice>
          ) : (
            <div className="min-h-[28rem]">
              {presets.length > 0 && <Presets presets={presets} choice={choice} picture={picture} onChoose={choose} />}
              {choice && (
                <Chosen
                  choice={choice}
                  picture={picture}
                  onEdit={() => void tidy(choice.recipe).then(changeOwn)}
                  onCode={() => void tidy(choice.recipe).then((recipe) => setCode({ ...choice, recipe }))}
                />
              )}
              {choice?.preset === null && (
                // What has the focus is scrolled to where neither the preview nor the button covers it.
                <div className="mt-4 max-lg:**:scroll-mt-[calc(32dvh+7rem)] max-lg:**:scroll-mb-28">
                  <Suspense>
                    {!wide && preview && (
                      // In view while the controls scroll, unless it would leave them no room: a phone on its side.
                      <div className="-mx-4 mb-3 bg-paper px-4 pt-2 sm:-mx-6 sm:px-6 [@media(min-height:30rem)]:sticky [@media(min-height:30rem)]:top-0 [@media(min-height:30rem)]:z-10">
                        {preview}
                      </div>
                    )}
                    <Builder recipe={choice.recipe} onChange={changeOwn} onValid={setValid} open={open} onOpen={setOpen} />
                  </Suspense>
                </div>
              )}
            </div>
          )}
          <SendPanel
            good={good}
            variants={choice?.recipe.variants.length ?? 0}
            hindrance={!choice ? "One moment…" : choice.preset === null && !valid ? "Mend the recipe first" : null}
            sending={sending}
            onSend={() =>
              choice && void send(good, choice.preset ? { preset: choice.preset } : { recipe: choice.recipe })
            }
          />
        </section>
      </div>
      {asking && choice && (
        <Suspense>
          <AddressDialog choice={choice} onAccepted={accepted} onClose={() => setAsking(false)} />
        </Suspense>
      )}
      {code && (
        <Suspense>
          <CodeDialog
            title={code.title}
            recipe={code.recipe}
            preset={code.preset}
            files={good.map((item) => item.file.name)}
            onUse={changeOwn}
            onClose={() => setCode(null)}
          />
        </Suspense>
      )}
    </>
  );
}

interface ChosenProps {
  choice: Choice;
  picture: string;
  onEdit: () => void;
  onCode: () => void;
}

/** What the choice makes, in a sentence and in frames, and ways to go on from it. */
function Chosen({ choice, picture, onEdit, onCode }: ChosenProps) {
  return (
    <div className="mt-4">
      <p id="choice-says" className="min-h-[2lh] text-[0.9375rem] leading-snug text-ink-soft">
        {choice.description}
      </p>
      <Frames choice={choice} picture={picture} />
      <p className="mt-2 mb-3 flex gap-5">
        {choice.preset !== null && <TextButton onClick={onEdit}>Change it</TextButton>}
        <TextButton onClick={onCode}>JSON and curl</TextButton>
      </p>
    </div>
  );
}

function TextButton({ children, onClick }: { children: string; onClick: () => void }) {
  return (
    <button
      type="button"
      onClick={onClick}
      className="min-h-9 text-sm font-medium text-ink-soft underline decoration-line-strong underline-offset-4 hover:text-ink"
    >
      {children}
    </button>
  );
}

interface SendPanelProps {
  good: readonly Item[];
  variants: number;
  /** What has to happen before anything can be sent, beside adding a photo. */
  hindrance: string | null;
  sending: Sending;
  onSend: () => void;
}

function SendPanel({ good, variants, hindrance, sending, onSend }: SendPanelProps) {
  const size = good.reduce((sum, item) => sum + item.file.size, 0);
  return (
    <div className="sticky bottom-0 z-10 -mx-4 mt-3 border-t border-line bg-paper px-4 pt-3 pb-4 sm:-mx-6 sm:px-6 lg:mx-0 lg:border-0 lg:px-0">
      {sending.state === "error" && <Notice>{sending.message}</Notice>}
      {sending.state === "sending" ? (
        <div className="flex items-center gap-4">
          <div className="min-w-0 flex-1">
            <p className="figures mb-2 text-sm font-medium">
              {sending.lost
                ? "No connection. It goes on by itself as soon as there is one."
                : sending.sent < sending.total
                  ? `${bytes(sending.sent)} of ${bytes(sending.total)} sent`
                  : "Sent. The service is taking them in."}
            </p>
            <Bar value={sending.total > 0 ? sending.sent / sending.total : 0} label="Sending" />
          </div>
          <Button onClick={stop}>Stop</Button>
        </div>
      ) : sending.state === "waiting" ? (
        <div className="rounded-lg border border-line bg-surface p-4">
          <p className="text-[0.9375rem] leading-snug">
            {sending.left === 0 ? "All photos are sent" : `${count(sending.left, "photo")} not sent yet`}: the page was left
            before its batch was made.
          </p>
          <div className="mt-3 flex gap-2.5">
            <Button look="primary" onClick={() => void resume(true)}>
              Go on
            </Button>
            <Button onClick={() => void discard()}>Discard</Button>
          </div>
        </div>
      ) : (
        <Button look="primary" className="min-h-13 w-full text-base" disabled={good.length === 0 || hindrance !== null} onClick={onSend}>
          {good.length === 0 ? (
            "Add a photo to start"
          ) : hindrance !== null ? (
            hindrance
          ) : (
            <>
              <span className="figures">
                Make {count(good.length * variants, "variant")} from {count(good.length, "photo")}
                <span className="max-[26rem]:hidden">, {bytes(size)}</span>
              </span>
              <ArrowIcon />
            </>
          )}
        </Button>
      )}
    </div>
  );
}

function Notice({ children }: { children: React.ReactNode }) {
  return (
    <div role="alert" className="mb-3 flex gap-2.5 rounded-lg bg-bad-wash px-4 py-3 text-[0.9375rem] leading-snug text-bad">
      <WarningIcon className="mt-px shrink-0" />
      <p>{children}</p>
    </div>
  );
}

/** Photos as they are, and those in ZIP archives; what could not be opened, in words. */
async function opened(files: readonly File[]): Promise<{ photos: File[]; troubles: string[] }> {
  const photos: File[] = [];
  const troubles: string[] = [];
  for (const file of files) {
    if (!isZip(file)) {
      photos.push(file);
      continue;
    }
    try {
      const { imagesIn } = await import("../lib/zip");
      photos.push(...(await imagesIn(file)));
    } catch (error) {
      troubles.push(error instanceof Error ? error.message : String(error));
    }
  }
  await lookAt(photos);
  return { photos, troubles };
}

/** Milliseconds of work before something else has its turn. */
const TURN = 10;

/** The browser goes to the disk when a file's size is first asked for: of hundreds of files at once, this is felt. */
async function lookAt(files: readonly File[]): Promise<void> {
  let since = performance.now();
  for (const file of files) {
    void file.size;
    if (performance.now() - since < TURN) continue;
    await new Promise((resolve) => setTimeout(resolve));
    since = performance.now();
  }
}

function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = window.matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => window.matchMedia(query).matches,
  );
}

/** Photos dropped anywhere on the page, or pasted. Returns whether files hang over the page now. */
function useFilesFromAnywhere(take: (files: readonly File[]) => void, open: boolean): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!open) return;
    let depth = 0; // the browser tells of every element that is entered and left
    const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (!carries(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!carries(event)) return;
      depth -= 1;
      if (depth <= 0) setOver(false);
    };
    const hover = (event: DragEvent) => {
      if (carries(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer || !carries(event)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      void filesOf(event.dataTransfer).then(take);
    };
    const paste = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      take(files);
    };
    const listeners = new AbortController();
    const { signal } = listeners;
    window.addEventListener("dragenter", enter, { signal });
    window.addEventListener("dragleave", leave, { signal });
    window.addEventListener("dragover", hover, { signal });
    window.addEventListener("drop", drop, { signal });
    window.addEventListener("paste", paste, { signal });
    return () => {
      listeners.abort();
      setOver(false);
    };
  }, [take, open]);
  return over;
}
