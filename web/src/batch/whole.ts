interface Size {
  width: number | null;
  height: number | null;
}

/** Whether a variant shows all of its photo, and not a part of it or a turned one. */
export function isWhole(photo: Size, variant: Size): boolean {
  if (!photo.width || !photo.height || !variant.width || !variant.height) return false;
  return Math.abs(variant.width / variant.height / (photo.width / photo.height) - 1) < 0.02;
}
