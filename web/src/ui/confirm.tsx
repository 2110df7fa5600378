import type { ReactNode } from "react";
import { Button } from "./button";
import { Dialog } from "./dialog";

interface Props {
  title: string;
  /** What will happen. */
  children: ReactNode;
  /** What the button says that does it, and the one that does not. */
  act: string;
  keep?: string;
  onAct: () => void;
  onClose: () => void;
}

/** A question before something that others will notice. */
export function Confirm({ title, children, act, keep = "Leave as it is", onAct, onClose }: Props) {
  return (
    <Dialog title={title} onClose={onClose}>
      {(close) => (
        <>
          <p className="text-ink-soft">{children}</p>
          <div className="mt-5 flex flex-wrap gap-2.5">
            <Button
              look="primary"
              onClick={() => {
                onAct();
                close();
              }}
            >
              {act}
            </Button>
            <Button onClick={close}>{keep}</Button>
          </div>
        </>
      )}
    </Dialog>
  );
}
