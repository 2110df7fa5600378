import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";
import { endShare, getShares, makeShare } from "../api/client";
import { moment } from "../lib/time";
import { copy } from "../lib/copy";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";

const DAY = 86_400;
const LIVES = [
  { seconds: DAY, label: "a day" },
  { seconds: 7 * DAY, label: "a week" },
  { seconds: 30 * DAY, label: "a month" },
];

/** Makes links that show this batch to whoever has one, and takes them back. */
export function ShareDialog({ batchId, onClose }: { batchId: string; onClose: () => void }) {
  const id = useId();
  const client = useQueryClient();
  const key = ["shares", batchId];
  const shares = useQuery({ queryKey: key, queryFn: ({ signal }) => getShares(batchId, signal) });
  const refresh = () => client.invalidateQueries({ queryKey: key });
  const [seconds, setSeconds] = useState(7 * DAY);
  const [copied, setCopied] = useState(false);
  const make = useMutation({ mutationFn: () => makeShare(batchId, seconds), onSuccess: refresh });
  const end = useMutation({ mutationFn: endShare, onSuccess: refresh });
  const link = make.data && new URL(make.data.url, location.origin).href;
  const error = make.error ?? end.error ?? shares.error;

  return (
    <Dialog title="Share this batch" onClose={onClose}>
      <p className="text-ink-soft">Whoever has the link sees the photos’ variants and can download them. Nobody needs a key for it.</p>
      <form
        className="mt-4 flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          setCopied(false);
          make.mutate();
        }}
      >
        <div>
          <label htmlFor={`${id}-life`} className="mb-1 block text-sm text-ink-soft">
            The link is good for
          </label>
          <select
            id={`${id}-life`}
            value={seconds}
            onChange={(event) => setSeconds(Number(event.target.value))}
            className="min-h-11 rounded-md border border-line-strong/70 bg-surface px-3"
          >
            {LIVES.map((life) => (
              <option key={life.seconds} value={life.seconds}>
                {life.label}
              </option>
            ))}
          </select>
        </div>
        <Button type="submit" look="primary" disabled={make.isPending}>
          Make a link
        </Button>
      </form>
      {error && (
        <p role="alert" className="mt-3 text-sm text-bad">
          {error.message}
        </p>
      )}
      {link && (
        <div className="mt-5 rounded-lg bg-sunken p-3">
          <label htmlFor={`${id}-link`} className="mb-1 block text-sm text-ink-soft">
            The link. It is shown this once: copy it now.
          </label>
          <div className="flex flex-wrap gap-2">
            <input
              id={`${id}-link`}
              readOnly
              value={link}
              onFocus={(event) => event.target.select()}
              className="min-h-11 min-w-0 flex-1 basis-56 rounded-md border border-line-strong/70 bg-surface px-3 font-mono text-sm"
            />
            <Button onClick={() => void copy(link).then(() => setCopied(true))}>
              <span aria-live="polite">{copied ? "Copied" : "Copy"}</span>
            </Button>
          </div>
        </div>
      )}
      {shares.data && shares.data.length > 0 && (
        <>
          <h3 className="mt-6 mb-1 font-semibold">Links that are good now</h3>
          <ul>
            {shares.data.map((share) => (
              <li key={share.shareId} className="flex items-center gap-3 border-t border-line py-1.5">
                <span className="figures min-w-0 flex-1 text-sm text-ink-soft">until {moment(share.expiresAt)}</span>
                <Button
                  look="quiet"
                  disabled={end.isPending}
                  onClick={() => end.mutate(share)}
                  aria-label={`End the link that is good until ${moment(share.expiresAt)}`}
                >
                  End it
                </Button>
              </li>
            ))}
          </ul>
        </>
      )}
    </Dialog>
  );
}
