import { type PointerEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Variant } from "../api/types";

/**
 * A variant over its original, parted by a slider. Both are one picture of the same size, so that they zoom and move
 * together; at 1:1 one pixel of the variant is one of the screen.
 */
export function Compare({ variant, before }: { variant: Variant; before: string | null }) {
  const [actual, setActual] = useState(false);
  const [split, setSplit] = useState(0.5);
  const frame = useRef<HTMLDivElement>(null);
  const stack = useRef<HTMLDivElement>(null);
  const old = useRef<HTMLImageElement>(null);
  const fit = useFit(frame, variant.width ?? 1, variant.height ?? 1);
  const scale = actual ? 1 / window.devicePixelRatio : fit;
  const width = (variant.width ?? 1) * scale;
  const height = (variant.height ?? 1) * scale;

  // The slider stands still in the window while the picture moves under it: what is cut is worked out from both.
  const cut = () => {
    if (!frame.current || !stack.current || !old.current) return;
    const window = frame.current.getBoundingClientRect();
    const picture = stack.current.getBoundingClientRect();
    const at = window.left + window.width * split - picture.left;
    old.current.style.clipPath = `inset(0 ${Math.min(picture.width, Math.max(0, picture.width - at))}px 0 0)`;
  };
  useLayoutEffect(cut);
  useLayoutEffect(() => {
    const { current } = frame;
    if (actual) current?.scrollTo((current.scrollWidth - current.clientWidth) / 2, (current.scrollHeight - current.clientHeight) / 2);
  }, [actual]);

  const drag = (event: PointerEvent<HTMLElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId) || !frame.current) return;
    const { left, width } = frame.current.getBoundingClientRect();
    setSplit(Math.min(1, Math.max(0, (event.clientX - left) / width)));
  };

  return (
    <div className="relative min-h-0 min-w-0 bg-mat">
      <div
        ref={frame}
        onScroll={cut}
        // Reachable by keyboard, so that its arrow keys move a picture larger than the window.
        tabIndex={actual ? 0 : -1}
        role="group"
        aria-label={before ? "Before on the left, after on the right" : "The variant"}
        className="absolute inset-0 grid overflow-auto overscroll-contain p-4 -outline-offset-3 sm:p-8"
      >
        <div ref={stack} className="relative m-auto" style={{ width, height }}>
          <img src={variant.url ?? ""} alt="" className="absolute inset-0 size-full" draggable={false} />
          {before && <img ref={old} src={before} alt="" className="absolute inset-0 size-full" draggable={false} />}
        </div>
      </div>
      {before && (
        <>
          <div
            className="pointer-events-none absolute inset-y-0 w-0.5 -translate-x-1/2 bg-white shadow-[0_0_0_1px_rgb(0_0_0/0.35)]"
            style={{ left: `${split * 100}%` }}
          />
          <div
            className="absolute top-1/2 grid size-11 -translate-1/2 cursor-ew-resize touch-none place-items-center rounded-full bg-white text-[#171a1b] shadow-[0_1px_6px_rgb(0_0_0/0.45)] has-focus-visible:outline-3 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
            style={{ left: `${split * 100}%` }}
            onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
            onPointerMove={drag}
          >
            <svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" strokeWidth="1.8" aria-hidden="true">
              <path d="M7.5 5.5 3 10l4.5 4.5M12.5 5.5 17 10l-4.5 4.5" />
            </svg>
            <input
              type="range"
              min={0}
              max={100}
              value={Math.round(split * 100)}
              onChange={(event) => setSplit(event.target.valueAsNumber / 100)}
              aria-label="How much of the original is shown"
              aria-valuetext={`${Math.round(split * 100)} % original`}
              className="pointer-events-none absolute inset-0 opacity-0"
            />
          </div>
          <Tag className="left-3">before</Tag>
          <Tag className="right-3">after</Tag>
        </>
      )}
      <div className="absolute bottom-3 left-1/2 flex -translate-x-1/2 rounded-lg bg-surface p-0.5 shadow-card">
        <Zoom chosen={!actual} onClick={() => setActual(false)}>
          Fit
        </Zoom>
        <Zoom chosen={actual} onClick={() => setActual(true)}>
          1:1 pixels
        </Zoom>
      </div>
    </div>
  );
}

function Tag({ className, children }: { className: string; children: string }) {
  return (
    <span className={`absolute top-3 rounded-md bg-[#131211]/75 px-2 py-0.5 text-sm font-medium text-white ${className}`}>
      {children}
    </span>
  );
}

function Zoom({ chosen, onClick, children }: { chosen: boolean; onClick: () => void; children: string }) {
  return (
    <button
      type="button"
      aria-pressed={chosen}
      onClick={onClick}
      className="min-h-9 rounded-md px-3 text-sm font-semibold whitespace-nowrap text-ink-soft aria-pressed:bg-ink aria-pressed:text-paper"
    >
      {children}
    </button>
  );
}

/** The scale at which the whole picture fits into the frame; never larger than its own pixels. */
function useFit(frame: React.RefObject<HTMLDivElement | null>, width: number, height: number): number {
  const [room, setRoom] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!frame.current) return;
    const observer = new ResizeObserver(([entry]) => entry && setRoom(entry.contentRect));
    observer.observe(frame.current);
    return () => observer.disconnect();
  }, [frame]);
  return Math.min(1, room.width / width, room.height / height);
}
