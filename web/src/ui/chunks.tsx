import { memo, type ReactNode, useEffect, useRef, useState } from "react";

interface Props<T> {
  items: readonly T[];
  /** Items that come and go together. */
  size: number;
  /** Pixels, of a chunk that was never drawn. */
  height: number;
  label: string;
  className: string;
  /** Draws one item, as an `li`. The same function each time, or everything is drawn anew. */
  draw: (item: T, index: number) => ReactNode;
  /** After the last item. */
  end?: ReactNode;
}

/**
 * A long list of which only what is near the window is there: thousands of photos cost no more than a screenful. Short
 * ones are whole. Each chunk is a list of its own, so that a grid stays one when all chunks but the last are full rows.
 */
export function Chunks<T>({ items, size, height, label, className, draw, end }: Props<T>) {
  const starts = Array.from({ length: Math.max(1, Math.ceil(items.length / size)) }, (_, index) => index * size);
  return starts.map((start) => {
    const chunk = items.slice(start, start + size);
    const last = start + size >= items.length;
    return (
      <Chunk
        key={start}
        items={chunk}
        start={start}
        height={height}
        label={items.length > size ? `${label}, ${start + 1} to ${start + chunk.length}` : label}
        className={className}
        draw={draw as (item: unknown, index: number) => ReactNode}
        end={last ? end : undefined}
      />
    );
  });
}

interface ChunkProps extends Omit<Props<unknown>, "size"> {
  start: number;
}

/** Pixels beyond the window that are drawn already. */
const AHEAD = 1000;

const Chunk = memo(
  function Chunk({ items, start, height, label, className, draw, end }: ChunkProps) {
    const list = useRef<HTMLOListElement>(null);
    const tall = useRef(height);
    const [near, setNear] = useState(start === 0);
    useEffect(() => {
      const element = list.current;
      if (!element) return;
      const observer = new IntersectionObserver(
        (entries) => {
          const entry = entries.at(-1);
          if (!entry) return;
          // What has the focus stays, or the keyboard would be lost.
          if (!entry.isIntersecting && element.contains(document.activeElement)) return;
          if (!entry.isIntersecting && element.childElementCount > 0) tall.current = element.offsetHeight;
          setNear(entry.isIntersecting);
        },
        { rootMargin: `${AHEAD}px 0px` },
      );
      observer.observe(element);
      return () => observer.disconnect();
    }, []);
    return (
      <ol ref={list} aria-label={label} className={className} style={near ? undefined : { height: tall.current }}>
        {near && items.map((item, index) => draw(item, start + index))}
        {near && end}
      </ol>
    );
  },
  (before, after) =>
    before.label === after.label &&
    before.draw === after.draw &&
    before.end === after.end &&
    before.items.length === after.items.length &&
    before.items.every((item, index) => item === after.items[index]),
);
