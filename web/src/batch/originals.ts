/** Pictures of what this tab sent, so that a batch shows them before the service has made anything. */

interface Original {
  name: string;
  size: number;
  /** A small copy, or null when the browser cannot draw it. */
  picture: string | null;
  file: File;
}

const batches = new Map<string, Original[]>();

export function rememberOriginals(
  batchId: string,
  items: readonly { file: File; picture: string | null | undefined }[],
): void {
  batches.set(
    batchId,
    items.map(({ file, picture }) => ({ name: file.name, size: file.size, picture: picture ?? null, file })),
  );
}

/** The original at this place of the batch, when this tab sent it. */
export function originalOf(batchId: string, index: number, name: string): Original | undefined {
  const originals = batches.get(batchId);
  const there = originals?.[index];
  return there?.name === name ? there : originals?.find((original) => original.name === name);
}
