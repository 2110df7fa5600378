import { unzip } from "fflate";

/** No more than this is unpacked from one archive: it has to fit into the memory of a phone. */
const MOST_FILES = 1000;
const MOST_BYTES = 512 * 1024 * 1024;

const TYPES: Record<string, string> = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
  avif: "image/avif",
  heic: "image/heic",
  heif: "image/heif",
  tif: "image/tiff",
  tiff: "image/tiff",
  jxl: "image/jxl",
  svg: "image/svg+xml",
};

/** The images in a ZIP archive, folders opened. Throws an Error whose message can be shown. */
export async function imagesIn(archive: File): Promise<File[]> {
  const data = new Uint8Array(await archive.arrayBuffer());
  let files = 0;
  let bytes = 0;
  let over = false;
  const entries = await new Promise<Record<string, Uint8Array>>((resolve, reject) =>
    unzip(
      data,
      {
        // Sizes as the archive tells them, before anything is unpacked.
        filter: ({ name, originalSize }) => {
          if (!typeOf(name) || /(^|\/)(\.|__MACOSX\/)/.test(name)) return false;
          files += 1;
          bytes += originalSize;
          over ||= files > MOST_FILES || bytes > MOST_BYTES;
          return !over;
        },
      },
      (error, found) => (error ? reject(new Error(`${archive.name} cannot be opened: ${error.message}.`)) : resolve(found)),
    ),
  );
  if (over) throw new Error(`${archive.name} holds more than can be opened here. Add its photos in smaller parts.`);
  const images = Object.entries(entries).map(
    ([name, content]) =>
      new File([content as BlobPart], name.slice(name.lastIndexOf("/") + 1), {
        type: typeOf(name) ?? "",
        lastModified: archive.lastModified,
      }),
  );
  if (images.length === 0) throw new Error(`There is no image in ${archive.name}.`);
  return images;
}

function typeOf(name: string): string | undefined {
  return TYPES[name.slice(name.lastIndexOf(".") + 1).toLowerCase()];
}
