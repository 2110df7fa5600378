import type { ReactNode } from "react";
import { WarningIcon } from "./icons";

export function Notice({ children }: { children: ReactNode }) {
  return (
    <div role="alert" className="mb-3 flex gap-2.5 rounded-lg bg-bad-wash px-4 py-3 text-[0.9375rem] leading-snug text-bad">
      <WarningIcon className="mt-px shrink-0" />
      <p>{children}</p>
    </div>
  );
}
