import { useId, useState } from "react";
import { copy } from "../lib/copy";
import type { Recipe } from "../api/types";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { curl } from "./curl";

interface Props {
  title: string;
  recipe: Recipe;
  /** Name of the preset, when it is one unchanged. */
  preset: string | null;
  files: readonly string[];
  onUse: (recipe: Recipe) => void;
  onClose: () => void;
}

/** What will be asked for, as a program would ask: the recipe's JSON, which can be changed, and the curl command. */
export function CodeDialog({ title, recipe, preset, files, onUse, onClose }: Props) {
  const id = useId();
  const [text, setText] = useState(() => JSON.stringify(recipe, null, 2));
  const [fault, setFault] = useState("");
  const [said, setSaid] = useState("");

  const command = curl(location.origin, files, preset ? { preset } : { recipe });
  const take = (what: string, value: string) =>
    void copy(value).then(
      () => setSaid(`${what} copied.`),
      () => setSaid("This browser did not let it be copied."),
    );
  const use = (close: () => void) => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      setFault(`This is not JSON: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    const { variants } = (typeof value === "object" && value !== null ? value : {}) as { variants?: unknown };
    const named = (one: unknown) => typeof one === "object" && one !== null && typeof (one as { name?: unknown }).name === "string";
    if (!Array.isArray(variants) || variants.length === 0 || !variants.every(named)) {
      setFault("A recipe is an object with a list of variants, and each variant has a name.");
      return;
    }
    onUse(value as Recipe);
    close();
  };

  return (
    <Dialog title={`${title} for a program`} onClose={onClose}>
      {(close) => (
        <>
          <h3 className="mb-1.5 font-semibold">curl</h3>
          <pre tabIndex={0} className="max-h-48 overflow-auto rounded-lg bg-sunken p-3 font-mono text-sm leading-relaxed">
            {command}
          </pre>
          <label htmlFor={`${id}-json`} className="mt-5 mb-1.5 block font-semibold">
            Recipe as JSON
          </label>
          <textarea
            id={`${id}-json`}
            value={text}
            spellCheck={false}
            rows={Math.min(18, text.split("\n").length)}
            onChange={(event) => {
              setText(event.target.value);
              setFault("");
            }}
            aria-invalid={fault !== ""}
            aria-describedby={fault ? `${id}-fault` : undefined}
            className="block w-full rounded-lg border border-line-strong/70 bg-paper p-3 font-mono text-sm leading-relaxed aria-invalid:border-bad"
          />
          {fault && (
            <p id={`${id}-fault`} role="alert" className="mt-2 text-sm text-bad">
              {fault}
            </p>
          )}
          <div className="mt-5 flex flex-wrap items-center gap-2.5">
            <Button look="primary" onClick={() => use(close)}>
              Use this recipe
            </Button>
            <Button onClick={() => take("The command is", command)}>Copy curl</Button>
            <Button onClick={() => take("The recipe is", text)}>Copy JSON</Button>
            <p aria-live="polite" className="text-sm text-ink-soft">
              {said}
            </p>
          </div>
        </>
      )}
    </Dialog>
  );
}
