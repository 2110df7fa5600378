import { type ReactNode, useEffect, useId, useRef } from "react";
import { CrossIcon } from "./icons";

/** A dialog in the middle of the page. `children` may be a function that is given how to close it. */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  children: ReactNode | ((close: () => void) => ReactNode);
}) {
  const { title, onClose, children } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  const close = () => dialog.current?.close();
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={onClose}
      className="m-auto max-h-[calc(100dvh-2rem)] w-[min(46rem,calc(100%-2rem))] rounded-2xl bg-surface p-5 text-ink shadow-card backdrop:bg-[#131211]/55 sm:p-7"
    >
      <div className="mb-4 flex items-start gap-4">
        <h2 id={id} className="min-w-0 flex-1 text-xl font-semibold tracking-tight">
          {title}
        </h2>
        <button
          type="button"
          aria-label="Close"
          onClick={close}
          className="-mt-1.5 -mr-1.5 grid size-11 place-items-center rounded-lg text-ink-soft hover:bg-sunken"
        >
          <CrossIcon />
        </button>
      </div>
      {typeof children === "function" ? children(close) : children}
    </dialog>
  );
}
