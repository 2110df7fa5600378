import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { getPresets } from "../api/client";
import type { Accepted } from "../api/types";
import { bytes, count } from "../lib/format";
import { useTidy } from "../recipe/use-form";
import { Notice } from "../ui/notice";
import { useSay, useWorking } from "../ui/status";
import { TextButton } from "../ui/text-button";
import { useMedia } from "../ui/use-media";
import { useTitle } from "../ui/use-title";
import { type Choice, useChoice } from "./choice";
import { Chosen } from "./chosen";
import { EmptyTable } from "./empty-table";
import { LightTable } from "./light-table";
import { opened } from "./opened";
import { Presets } from "./presets";
import { add, type Item, judge, remove, useSelection } from "./selection";
import { clear, resume, send, useSending } from "./send";
import { SendPanel } from "./send-panel";
import { useFilesFromAnywhere } from "./use-files-from-anywhere";

const Preview = lazy(() => import("../recipe/preview").then((module) => ({ default: module.Preview })));
const Builder = lazy(() => import("../recipe/builder").then((module) => ({ default: module.Builder })));
const AddressDialog = lazy(() => import("./address-dialog").then((module) => ({ default: module.AddressDialog })));
const CodeDialog = lazy(() => import("../recipe/code-dialog").then((module) => ({ default: module.CodeDialog })));

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
