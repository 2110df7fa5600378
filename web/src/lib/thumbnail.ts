/** Small pictures of large photos, one after the other, so that choosing fifty photos does not fill the memory. */

const SIDE = 480;
let queue: Promise<unknown> = Promise.resolve();

/** The address of a small copy of a photo, or null when this browser cannot draw it. The caller revokes it. */
export function thumbnail(file: Blob): Promise<string | null> {
  const made = queue.then(() => make(file));
  queue = made;
  return made;
}

async function make(file: Blob): Promise<string | null> {
  if (file.type === "image/svg+xml") return URL.createObjectURL(file);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
  try {
    const scale = Math.min(1, SIDE / Math.min(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    if (!context) return null;
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/webp", 0.82));
    return blob && URL.createObjectURL(blob);
  } finally {
    bitmap.close();
  }
}
