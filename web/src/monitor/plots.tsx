import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { seconds } from "../lib/time";
import { useShownTheme } from "../lib/theme";
import type { Sample } from "./api";

interface Line {
  label: string;
  colour: string;
  value: (sample: Sample) => number | null;
  /** Figures that are not there at all times are drawn as dots too, or one alone would not be seen. */
  dots?: boolean;
}

interface PlotProps {
  title: string;
  /** The newest figures, in words. */
  now: string;
  samples: readonly Sample[];
  lines: readonly Line[];
  unit: (value: number) => string;
  /** Where the scale ends at least. */
  least: number;
  /** Whether there are no halves. */
  whole?: boolean;
}

const perMinute = (count: number, sample: Sample) => (sample.seconds > 0 ? (count / sample.seconds) * 60 : 0);

/** Throughput, time from acceptance to end, and depth of the queue. */
export function Plots({ samples }: { samples: readonly Sample[] }) {
  const last = samples.at(-1);
  const rate = last ? Math.round(perMinute(last.completed, last)) : 0;
  return (
    <div className="grid gap-4 md:grid-cols-3">
      <Plot
        title="Images a minute"
        now={`${rate} done`}
        samples={samples}
        unit={(value) => Math.round(value).toLocaleString("en")}
        least={4}
        whole
        lines={[
          { label: "done", colour: "--good", value: (sample) => perMinute(sample.completed, sample) },
          { label: "failed", colour: "--bad", value: (sample) => perMinute(sample.failed, sample) },
        ]}
      />
      <Plot
        title="From accepted to done"
        now={last?.latencyP50 != null ? `half within ${seconds(last.latencyP50)}` : "nothing done just now"}
        samples={samples}
        unit={seconds}
        least={1}
        lines={[
          { label: "half within", colour: "--ink-soft", value: (sample) => sample.latencyP50, dots: true },
          { label: "95 % within", colour: "--accent", value: (sample) => sample.latencyP95, dots: true },
        ]}
      />
      <Plot
        title="Not done yet"
        now={last ? `${last.waiting} waiting, ${last.active} in work` : ""}
        samples={samples}
        unit={(value) => Math.round(value).toLocaleString("en")}
        least={4}
        whole
        lines={[
          { label: "waiting", colour: "--ink-soft", value: (sample) => sample.waiting },
          { label: "in work", colour: "--accent", value: (sample) => sample.active },
        ]}
      />
    </div>
  );
}

const HEIGHT = 120;
/** Steps between two lines of a scale of whole numbers. */
const WHOLE = [1, 2, 5].flatMap((digit) => Array.from({ length: 9 }, (_, zeros) => digit * 10 ** zeros)).toSorted((a, b) => a - b);

function Plot({ title, now, samples, lines, unit, least, whole = false }: PlotProps) {
  const holder = useRef<HTMLDivElement>(null);
  const theme = useShownTheme();
  const plot = useRef<uPlot | null>(null);
  const data: uPlot.AlignedData = [
    samples.map(({ at }) => new Date(at).getTime() / 1000),
    ...lines.map(({ value }) => samples.map(value)),
  ];
  const latest = useRef({ data, lines, unit });
  latest.current = { data, lines, unit };

  // Made anew when the colours change; otherwise only given new figures.
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--ink-faint"), font: "12px Hanken Grotesk, sans-serif", ticks: { show: false } };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, points: { show: false } },
        padding: [8, 8, 0, 0],
        scales: { y: { range: (_, __, max) => [0, Math.max((max || 0) * 1.1, least)] } },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 26,
            space: 70,
            values: (_, ticks) => ticks.map((tick) => new Date(tick * 1000).toLocaleTimeString("en-GB", { timeStyle: "short" })),
          },
          {
            ...axis,
            size: 52,
            space: 36,
            ...(whole ? { incrs: WHOLE } : {}),
            grid: { stroke: colour("--line"), width: 1 },
            values: (_, ticks) => ticks.map((tick) => latest.current.unit(tick)),
          },
        ],
        series: [
          {},
          ...latest.current.lines.map((line) => ({
            label: line.label,
            stroke: colour(line.colour),
            width: 2,
            points: { show: line.dots ?? false, size: 4, fill: colour(line.colour) },
            spanGaps: true,
          })),
        ],
      },
      latest.current.data,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [theme, least, whole]);

  useEffect(() => plot.current?.setData(data));

  return (
    <figure className="min-w-0 rounded-xl border border-line bg-surface p-4">
      <figcaption className="mb-2 flex flex-wrap items-baseline justify-between gap-x-3">
        <span className="font-semibold">{title}</span>
        <span className="figures text-sm text-ink-soft">{now}</span>
      </figcaption>
      <div ref={holder} role="img" aria-label={`${title} over the last hour; now ${now}`} className="h-[120px]" />
      <p className="mt-1 flex gap-4 text-sm text-ink-faint">
        {lines.map(({ label, colour }) => (
          <span key={label} className="inline-flex items-center gap-1.5">
            <span aria-hidden="true" className="h-0.5 w-4 rounded" style={{ background: `var(${colour})` }} />
            {label}
          </span>
        ))}
      </p>
    </figure>
  );
}
