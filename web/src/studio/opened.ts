import { isZip } from "../lib/archives";

/** Photos as they are, and those in ZIP archives; what could not be opened, in words. */
export async function opened(files: readonly File[]): Promise<{ photos: File[]; troubles: string[] }> {
  const photos: File[] = [];
  const troubles: string[] = [];
  for (const file of files) {
    if (!isZip(file)) {
      photos.push(file);
      continue;
    }
    try {
      const { imagesIn } = await import("../lib/zip");
      photos.push(...(await imagesIn(file)));
    } catch (error) {
      troubles.push(error instanceof Error ? error.message : String(error));
    }
  }
  await lookAt(photos);
  return { photos, troubles };
}

/** Milliseconds of work before something else has its turn. */
const TURN = 10;

/** The browser goes to the disk when a file's size is first asked for: of hundreds of files at once, this is felt. */
async function lookAt(files: readonly File[]): Promise<void> {
  let since = performance.now();
  for (const file of files) {
    void file.size;
    if (performance.now() - since < TURN) continue;
    await new Promise((resolve) => setTimeout(resolve));
    since = performance.now();
  }
}
