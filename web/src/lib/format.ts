/** Numbers and names as a person reads them. */

const UNITS = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** `1536` → `1.5 kB`. 1 kB is 1024 bytes, so that the limit of 5 × 1024 × 1024 reads "5 MB". */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  if (unit === 0) return `${value} ${value === 1 ? "byte" : "bytes"}`;
  const digits = value >= 99.95 || Number.isInteger(value) ? 0 : value >= 9.995 ? 1 : 2;
  return `${trim(value.toFixed(digits))} ${UNITS[unit]}`;
}

function trim(number: string): string {
  return number.includes(".") ? number.replace(/\.?0+$/, "") : number;
}

/** `94.04` → `94 % smaller`; an output larger than its source says so. */
export function saved(percent: number): string {
  const whole = Math.abs(percent) >= 99 && Math.abs(percent) < 100 ? Math.floor(Math.abs(percent) * 10) / 10 : Math.round(Math.abs(percent));
  if (whole === 0) return "same size";
  return `${whole} % ${percent > 0 ? "smaller" : "larger"}`;
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

const FORMATS: Record<string, string> = {
  jpeg: "JPEG",
  jpg: "JPEG",
  png: "PNG",
  webp: "WebP",
  avif: "AVIF",
  gif: "GIF",
  heic: "HEIC",
  heif: "HEIC",
  tiff: "TIFF",
  tif: "TIFF",
  jxl: "JPEG XL",
  svg: "SVG",
  bmp: "BMP",
  jp2: "JPEG 2000",
  ico: "ICO",
  auto: "best format",
};

export function formatName(format: string): string {
  return FORMATS[format.toLowerCase()] ?? format.toUpperCase();
}

/** What to show in place of a picture that the browser cannot draw: `HEIC`, `TXT`, `file`. */
export function extension(name: string): string {
  return /\.([^.]{1,5})$/.exec(name)?.[1]?.toUpperCase() ?? "file";
}

/** A stable code as words: `unsupported-format` → `Unsupported format`. */
export function codeName(code: string): string {
  const words = code.replaceAll("-", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
