import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { getPresets } from "../api/client";
import type { Accepted, Preset } from "../api/types";
import { filesOf } from "../lib/drops";
import { bytes, count } from "../lib/format";
import { Bar } from "../ui/bar";
import { Button } from "../ui/button";
import { ArrowIcon, WarningIcon } from "../ui/icons";
import { useSay, useWorking } from "../ui/status";
import { EmptyTable } from "./empty-table";
import { LightTable } from "./light-table";
import { Presets } from "./presets";
import { add, type Item, judge, remove, useSelection } from "./selection";
import { type Sending, useSend } from "./send";

const PRESET_KEY = "pixelmill.preset";
/** Shown while nobody has chosen: several variants tell more than one. */
const FIRST_PRESET = "instagram";

function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

function useChosenPreset(presets: readonly Preset[]) {
  const [name, setName] = useState(() => {
    try {
      return localStorage.getItem(PRESET_KEY) ?? FIRST_PRESET;
    } catch {
      return FIRST_PRESET;
    }
  });
  const choose = useCallback((next: string) => {
    setName(next);
    try {
      localStorage.setItem(PRESET_KEY, next);
    } catch {
      // It still holds for this visit.
    }
  }, []);
  return { chosen: presets.find((preset) => preset.name === name) ?? presets[0], choose };
}

export function StudioPage() {
  useTitle("Pixelmill: make every size of a photo");
  const [, navigate] = useLocation();
  const say = useSay();
  const items = useSelection();
  const offer = useQuery({ queryKey: ["presets"], queryFn: ({ signal }) => getPresets(signal), staleTime: 60_000 });
  const presets = offer.data?.presets ?? [];
  const limits = offer.data?.limits;
  const { chosen, choose } = useChosenPreset(presets);
  const { good, reasons } = useMemo(() => judge(items, limits), [items, limits]);

  const accepted = useCallback(
    (batch: Accepted) => {
      navigate(`/batches/${batch.batchId}`);
      window.scrollTo(0, 0);
    },
    [navigate],
  );
  const { sending, send, stop, clear } = useSend(accepted);
  const busy = sending.state === "sending";
  useWorking(busy);

  const take = useCallback(
    (files: readonly File[]) => {
      if (files.length === 0) return;
      clear();
      const added = add(files);
      say(added === 0 ? "These photos are here already." : `${count(added, "photo")} added.`);
    },
    [clear, say],
  );
  const over = useFilesFromAnywhere(take, !busy);

  const input = useRef<HTMLInputElement>(null);
  const browse = useCallback(() => input.current?.click(), []);
  const shares = useMemo(
    () => (sending.state === "sending" ? new Map(sending.ids.map((id, i) => [id, sending.shares[i] ?? 0])) : null),
    [sending],
  );
  const heading = useRef<HTMLHeadingElement>(null);

  const drop = (item: Item) => {
    remove([item.id]);
    say(`${item.file.name} removed.`);
    heading.current?.focus();
  };

  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        accept="image/*,.heic,.heif,.avif,.jxl,.tif,.tiff"
        className="hidden"
        aria-label="Choose photos"
        onChange={(event) => {
          take([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
      <div className="grid items-start gap-x-12 gap-y-8 pt-6 sm:pt-10 lg:grid-cols-[minmax(0,1fr)_25rem] lg:grid-rows-[auto_1fr]">
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
        <section aria-label="Photos" className="min-w-0 lg:col-start-1">
          {items.length === 0 ? (
            <EmptyTable limits={limits} over={over} onBrowse={browse} onFiles={take} />
          ) : (
            <>
              <div
                className={`rounded-2xl bg-sunken p-3 ring-1 transition-shadow sm:p-5 ${over ? "ring-2 ring-accent" : "ring-line"}`}
              >
                <LightTable items={items} reasons={reasons} shares={shares} onRemove={drop} onAdd={browse} />
              </div>
              <p className="figures mt-3 text-sm text-ink-faint">
                {limits && `Up to ${count(limits.maxFiles, "photo")} in one batch, ${bytes(limits.maxFileBytes)} each.`}
              </p>
            </>
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
            <div className="min-h-[36rem]">
              {presets.length > 0 && (
                <Presets
                  presets={presets}
                  chosen={chosen}
                  onChoose={choose}
                  picture={items.find((item) => item.picture)?.picture ?? "/samples/field-small.jpg"}
                />
              )}
            </div>
          )}
          <SendPanel
            good={good}
            variants={chosen?.recipe.variants.length ?? 0}
            sending={sending}
            onSend={() => chosen && void send(good, { preset: chosen.name })}
            onStop={stop}
          />
        </section>
      </div>
    </>
  );
}

interface SendPanelProps {
  good: readonly Item[];
  variants: number;
  sending: Sending;
  onSend: () => void;
  onStop: () => void;
}

function SendPanel({ good, variants, sending, onSend, onStop }: SendPanelProps) {
  const size = good.reduce((sum, item) => sum + item.file.size, 0);
  return (
    <div className="sticky bottom-0 z-10 -mx-4 mt-4 border-t border-line bg-paper px-4 pt-3 pb-4 sm:-mx-6 sm:px-6 lg:static lg:mx-0 lg:border-0 lg:bg-transparent lg:p-0">
      {sending.state === "error" && <Notice>{sending.message}</Notice>}
      {sending.state === "sending" ? (
        <div className="flex items-center gap-4">
          <div className="min-w-0 flex-1">
            <p className="figures mb-2 text-sm font-medium">
              {sending.sent < sending.total
                ? `${bytes(sending.sent)} of ${bytes(sending.total)} sent`
                : "Sent. The service is taking them in."}
            </p>
            <Bar value={sending.total > 0 ? sending.sent / sending.total : 0} label="Sending" />
          </div>
          <Button onClick={onStop}>Stop</Button>
        </div>
      ) : (
        <Button look="primary" className="min-h-13 w-full text-base" disabled={good.length === 0 || variants === 0} onClick={onSend}>
          {good.length === 0 ? (
            "Add a photo to start"
          ) : (
            <>
              <span className="figures">
                Make {count(good.length * variants, "variant")} from {count(good.length, "photo")}, {bytes(size)}
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
