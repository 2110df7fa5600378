import type { AnchorHTMLAttributes, ButtonHTMLAttributes } from "react";

const BASE =
  "inline-flex min-h-11 items-center justify-center gap-2 rounded-lg px-4 text-[0.9375rem] font-semibold leading-tight transition-colors disabled:opacity-45";

const LOOKS = {
  primary: "bg-accent text-on-accent hover:not-disabled:bg-accent-strong",
  plain: "border border-line-strong/60 bg-surface text-ink hover:not-disabled:border-ink-faint hover:not-disabled:bg-paper",
  quiet: "text-ink-soft hover:not-disabled:bg-sunken hover:not-disabled:text-ink",
} as const;

type Look = { look?: keyof typeof LOOKS };

export function Button({ look = "plain", className = "", ...props }: ButtonHTMLAttributes<HTMLButtonElement> & Look) {
  return <button type="button" className={`${BASE} ${LOOKS[look]} ${className}`} {...props} />;
}

export function LinkButton({ look = "plain", className = "", ...props }: AnchorHTMLAttributes<HTMLAnchorElement> & Look) {
  return <a className={`${BASE} ${LOOKS[look]} ${className}`} {...props} />;
}
