/** The wire contract as the pages use it. */

export type State = "waiting" | "active" | "completed" | "failed" | "canceled";
export type BatchStatus = "waiting" | "processing" | "completed" | "completed-with-errors" | "canceled";

export interface Variant {
  name: string;
  state: State;
  progress?: number | null;
  url?: string | null;
  format?: string | null;
  width?: number | null;
  height?: number | null;
  bytes?: number | null;
  quality?: number | null;
  savedPercent?: number | null;
  error?: { code: string; detail: string } | null;
}

export interface ImageJob {
  jobId: string;
  originalName: string;
  state: State;
  failedReason?: string | null;
  errorCode?: string | null;
  width?: number | null;
  height?: number | null;
  bytes?: number | null;
  format?: string | null;
  variants: Variant[];
}

export interface Batch {
  batchId: string;
  status: BatchStatus;
  progress: Record<"total" | "completed" | "failed" | "active" | "waiting" | "canceled", number>;
  createdAt: string;
  preset?: string | null;
  links?: { events?: string | null; archive?: string | null } | null;
  files: ImageJob[];
  nextCursor?: string | null;
}

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

export interface Preset {
  name: string;
  title: string;
  description: string;
  recipe: { variants: RecipeVariant[] };
}

export interface Limits {
  maxFiles: number;
  maxFileBytes: number;
}

export interface Presets {
  presets: Preset[];
  limits: Limits;
}

export interface Accepted {
  batchId: string;
  statusUrl: string;
  totalFiles: number;
}

/** RFC 9457, with the members that this service adds. */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  files?: { originalName?: string; name?: string; errorCode?: string; reason?: string; detail?: string }[];
}
