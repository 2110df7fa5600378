import type { ImageJob, Variant } from "../api/types";

/** Text to paste elsewhere. Addresses are whole, so that it works on any page. */

type Made = Variant & { url: string; width: number; height: number; format: string };

function isMade(variant: Variant): variant is Made {
  return variant.state === "completed" && !!variant.url && !!variant.width && !!variant.height && !!variant.format;
}

const absolute = (url: string) => new URL(url, location.origin).href;
const escape = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const stem = (name: string) => name.replace(/\.[^.]{1,5}$/, "");

export function markdown(image: ImageJob, variant: Variant): string {
  return `![${stem(image.originalName).replace(/[[\]\\]/g, "\\$&")}](${absolute(variant.url ?? "")})`;
}

// Smallest first: a browser takes the first source that it can draw.
const BEST_FIRST = ["jxl", "avif", "webp"];

/**
 * A `<picture>` with every variant that shows the same cut of the photo as `variant`: one source for each modern
 * format, and the widest JPEG or PNG for all others.
 */
export function picture(image: ImageJob, variant: Variant): string {
  if (!isMade(variant)) return "";
  const ratio = variant.width / variant.height;
  const same = image.variants.filter(isMade).filter((other) => Math.abs(other.width / other.height / ratio - 1) < 0.01);
  const sets = new Map<string, Made[]>();
  for (const other of same) sets.set(other.format, [...(sets.get(other.format) ?? []), other]);
  const srcset = (format: string) =>
    (sets.get(format) ?? [])
      .toSorted((a, b) => a.width - b.width)
      .map((other) => `${escape(absolute(other.url))} ${other.width}w`)
      .join(", ");
  const plain = [...sets.keys()].find((format) => !BEST_FIRST.includes(format)) ?? variant.format;
  const modern = BEST_FIRST.filter((format) => format !== plain && sets.has(format));
  const widest = (sets.get(plain) ?? [variant]).reduce((a, b) => (b.width > a.width ? b : a));
  const many = (sets.get(plain)?.length ?? 0) > 1;
  return [
    "<picture>",
    ...modern.map((format) => `  <source type="image/${format}" srcset="${srcset(format)}" sizes="100vw">`),
    `  <img src="${escape(absolute(widest.url))}"${many ? ` srcset="${srcset(plain)}" sizes="100vw"` : ""} width="${widest.width}" height="${widest.height}" alt="${escape(stem(image.originalName))}">`,
    "</picture>",
  ].join("\n");
}

export function address(variant: Variant): string {
  return absolute(variant.url ?? "");
}

/** Where a variant comes as a file to keep, under a name that says what it is. */
export function downloadAddress(url: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}download=true`;
}
