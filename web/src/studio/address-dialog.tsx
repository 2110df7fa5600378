import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";
import { makeFromAddresses } from "../api/client";
import type { Accepted } from "../api/types";
import { count } from "../lib/format";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import type { Choice } from "./choice";

interface Props {
  choice: Choice;
  onAccepted: (batch: Accepted) => void;
  onClose: () => void;
}

/** Makes a batch of images that lie on the web: the service fetches them itself. */
export function AddressDialog({ choice, onAccepted, onClose }: Props) {
  const id = useId();
  const [text, setText] = useState("");
  const addresses = text.split(/\s+/).filter(Boolean);
  const wrong = addresses.find((address) => !isWeb(address));
  const make = useMutation({
    mutationFn: () => makeFromAddresses(addresses, choice.preset ? { preset: choice.preset } : { recipe: choice.recipe }),
    onSuccess: onAccepted,
  });
  return (
    <Dialog title="Photos on the web" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <label htmlFor={id} className="mb-1.5 block text-ink-soft">
          Addresses, one a line. The service fetches the photos itself.
        </label>
        <textarea
          id={id}
          rows={5}
          value={text}
          spellCheck={false}
          placeholder="https://example.com/photo.jpg"
          onChange={(event) => setText(event.target.value)}
          aria-invalid={wrong !== undefined}
          aria-describedby={`${id}-says`}
          className="block w-full rounded-lg border border-line-strong/70 bg-paper p-3 font-mono text-sm leading-relaxed placeholder:text-ink-faint aria-invalid:border-bad"
        />
        <p id={`${id}-says`} role="status" className="mt-2 min-h-6 text-sm text-bad">
          {wrong ? `${wrong} is no http or https address.` : make.error?.message}
        </p>
        <Button type="submit" look="primary" className="mt-2" disabled={addresses.length === 0 || wrong !== undefined || make.isPending}>
          {addresses.length === 0
            ? "Make variants"
            : `Make ${count(addresses.length * choice.recipe.variants.length, "variant")} from ${count(addresses.length, "photo")}`}
        </Button>
      </form>
    </Dialog>
  );
}

function isWeb(address: string): boolean {
  return /^https?:\/\//i.test(address) && URL.canParse(address);
}
