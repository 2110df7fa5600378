import { TextButton } from "../ui/text-button";
import type { Choice } from "./choice";
import { Frames } from "./presets";

interface ChosenProps {
  choice: Choice;
  picture: string;
  onEdit: () => void;
  onCode: () => void;
}

/** What the choice makes, in a sentence and in frames, and ways to go on from it. */
export function Chosen({ choice, picture, onEdit, onCode }: ChosenProps) {
  return (
    <div className="mt-4">
      <p id="choice-says" className="min-h-[2lh] text-[0.9375rem] leading-snug text-ink-soft">
        {choice.description}
      </p>
      <Frames choice={choice} picture={picture} />
      <p className="mt-2 mb-3 flex gap-5">
        {choice.preset !== null && <TextButton onClick={onEdit}>Change it</TextButton>}
        <TextButton onClick={onCode}>JSON and curl</TextButton>
      </p>
    </div>
  );
}
