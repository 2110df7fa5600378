import { bytes, count } from "../lib/format";
import { Bar } from "../ui/bar";
import { Button } from "../ui/button";
import { ArrowIcon } from "../ui/icons";
import { Notice } from "../ui/notice";
import type { Item } from "./selection";
import { discard, resume, type Sending, stop } from "./send";

interface SendPanelProps {
  good: readonly Item[];
  variants: number;
  /** What has to happen before anything can be sent, beside adding a photo. */
  hindrance: string | null;
  sending: Sending;
  onSend: () => void;
}

/** How far the sending is, or the button that begins it. */
export function SendPanel({ good, variants, hindrance, sending, onSend }: SendPanelProps) {
  const size = good.reduce((sum, item) => sum + item.file.size, 0);
  return (
    <div className="sticky bottom-0 z-10 -mx-4 mt-3 border-t border-line bg-paper px-4 pt-3 pb-4 sm:-mx-6 sm:px-6 lg:mx-0 lg:border-0 lg:px-0">
      {sending.state === "error" && <Notice>{sending.message}</Notice>}
      {sending.state === "sending" ? (
        <div className="flex items-center gap-4">
          <div className="min-w-0 flex-1">
            <p className="figures mb-2 text-sm font-medium">
              {sending.lost
                ? "No connection. It goes on by itself as soon as there is one."
                : sending.sent < sending.total
                  ? `${bytes(sending.sent)} of ${bytes(sending.total)} sent`
                  : "Sent. The service is taking them in."}
            </p>
            <Bar value={sending.total > 0 ? sending.sent / sending.total : 0} label="Sending" />
          </div>
          <Button onClick={stop}>Stop</Button>
        </div>
      ) : sending.state === "waiting" ? (
        <div className="rounded-lg border border-line bg-surface p-4">
          <p className="text-[0.9375rem] leading-snug">
            {sending.left === 0 ? "All photos are sent" : `${count(sending.left, "photo")} not sent yet`}: the page was left
            before its batch was made.
          </p>
          <div className="mt-3 flex gap-2.5">
            <Button look="primary" onClick={() => void resume(true)}>
              Go on
            </Button>
            <Button onClick={() => void discard()}>Discard</Button>
          </div>
        </div>
      ) : (
        <Button look="primary" className="min-h-13 w-full text-base" disabled={good.length === 0 || hindrance !== null} onClick={onSend}>
          {good.length === 0 ? (
            "Add a photo to start"
          ) : hindrance !== null ? (
            hindrance
          ) : (
            <>
              <span className="figures">
                Make {count(good.length * variants, "variant")} from {count(good.length, "photo")}
                <span className="max-[26rem]:hidden">, {bytes(size)}</span>
              </span>
              <ArrowIcon />
            </>
          )}
        </Button>
      )}
    </div>
  );
}
