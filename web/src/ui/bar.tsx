/** A progress bar; `value` from 0 to 1. Drawn with a transform, so that it never moves what is around it. */
export function Bar({ value, label, look = "going" }: { value: number; label: string; look?: "going" | "done" }) {
  const percent = Math.round(Math.min(1, Math.max(0, value)) * 100);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      className="h-1.5 overflow-hidden rounded-full bg-mat"
    >
      <div
        className={`h-full origin-left rounded-full transition duration-200 ease-out ${look === "done" ? "bg-good" : "bg-accent"}`}
        style={{ transform: `scaleX(${percent / 100})` }}
      />
    </div>
  );
}
