/** The pinwheel. It turns while there is work. */
export function Mark({ turning = false, className = "" }: { turning?: boolean; className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" className={`${className} ${turning ? "motion-safe:animate-turn" : ""}`}>
      <g className="fill-mark">
        <rect x="2" y="2" width="17" height="10" rx="2.5" />
        <rect x="20" y="2" width="10" height="17" rx="2.5" />
        <rect x="13" y="20" width="17" height="10" rx="2.5" />
        <rect x="2" y="13" width="10" height="17" rx="2.5" />
      </g>
      <rect x="13.5" y="13.5" width="5" height="5" rx="1" className="fill-ink" />
    </svg>
  );
}
