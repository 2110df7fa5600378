/** The wire contract as the pages use it. `schema.d.ts` is made by `scripts/page_types.py`. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type State = Schemas["State"];
export type BatchStatus = Schemas["BatchStatus"];
export type Variant = Schemas["VariantOut"];
export type ImageJob = Schemas["ImageOut"];
export type Batch = Schemas["BatchOut"];
export type BatchPage = Schemas["BatchPage"];
export type BatchSummary = Schemas["Summary"];
export type Share = Schemas["ShareOut"];
export type MadeShare = Schemas["MadeShare"];
/** Who this browser is to the service. */
export type Session = Schemas["SessionOut"];
export type Preview = Schemas["PreviewOut"];
export type Accepted = Schemas["Accepted"];
export type Limits = Pick<Schemas["LimitsOut"], "maxFiles" | "maxFileBytes">;

/** One line of a batch's log. `facts` differ by event. */
export interface BatchEvent {
  event: string;
  batchId: string;
  jobId?: string | null;
  variant?: string | null;
  at?: string;
  status?: BatchStatus;
  url?: string;
  format?: string;
  width?: number;
  height?: number;
  bytes?: number;
  quality?: number | null;
  savedPercent?: number | null;
  progress?: number;
  errorCode?: string | null;
  reason?: string | null;
}

export interface Step {
  op: string;
  [parameter: string]: unknown;
}

export interface RecipeVariant {
  name: string;
  steps?: Step[];
  output?: { format?: string; quality?: number | string; maxBytes?: number; [option: string]: unknown };
}

export interface Recipe {
  variants: RecipeVariant[];
}

/** What to make: a preset by its name, or a recipe. */
export type What = { preset: string } | { recipe: Recipe };

export type Preset = Omit<Schemas["PresetOut"], "recipe"> & { recipe: Recipe };

export interface Presets {
  presets: Preset[];
  limits: Limits;
}

/** RFC 9457. Anything may stand between the service and us, so nothing of it is certain. */
export type Problem = Partial<Schemas["Problem"]> & {
  /** Why each file was refused, when all were. */
  files?: { originalName?: string; name?: string; errorCode?: string; reason?: string; detail?: string }[];
};
