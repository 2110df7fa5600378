import type { RecipeVariant } from "../api/types";

/** How one variant looks, as far as its recipe tells without making it. Sides in pixels; null: follows the photo. */
export interface Frame {
  name: string;
  width: number | null;
  height: number | null;
  /** Does the picture fill the frame, cut at the edges? */
  cut: boolean;
  grey: boolean;
  blurred: boolean;
  format: string | null;
}

const number = (value: unknown) => (typeof value === "number" && value > 0 ? value : null);

export function frameOf(variant: RecipeVariant): Frame {
  const steps = variant.steps ?? [];
  const size = steps.find((step) => step.op === "resize" || step.op === "crop");
  const width = number(size?.["width"]);
  const height = number(size?.["height"]);
  const fit = size?.["fit"];
  return {
    name: variant.name,
    width,
    height,
    cut: width !== null && height !== null && (size?.op === "crop" || fit === "cover" || fit === "outside" || fit === "fill"),
    grey: steps.some((step) => step.op === "grayscale"),
    blurred: steps.some((step) => step.op === "blur"),
    format: variant.output?.format ?? null,
  };
}

/** The frame's width divided by its height, given the photo's. */
export function ratioOf(frame: Frame, photo: number): number {
  return frame.cut && frame.width && frame.height ? frame.width / frame.height : photo;
}

/** `1080 × 1080`, `1600 wide`, `full size`. */
export function sizeOf(frame: Frame): string {
  if (frame.width && frame.height) return `${frame.width} × ${frame.height}`;
  if (frame.width) return `${frame.width} wide`;
  if (frame.height) return `${frame.height} high`;
  return "full size";
}
