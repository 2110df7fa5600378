export function TextButton({ children, onClick }: { children: string; onClick: () => void }) {
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
