import { expect, test } from "vitest";
import { bytes, count, extension, formatName, saved } from "./format";

test.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [617, "617 bytes"],
  [1536, "1.5 kB"],
  [143_000, "140 kB"],
  [1_048_575, "1 MB"],
  [5 * 1024 * 1024, "5 MB"],
  [12_345_678, "11.8 MB"],
  [3 * 1024 ** 3, "3 GB"],
])("%d bytes read %s", (value, text) => {
  expect(bytes(value)).toBe(text);
});

test.each([
  [94, "94 % smaller"],
  [93.6, "94 % smaller"],
  [99.97, "99.9 % smaller"],
  [0.2, "same size"],
  [-12.4, "12 % larger"],
])("saving %d reads %s", (percent, text) => {
  expect(saved(percent)).toBe(text);
});

test("counts and names", () => {
  expect(count(1, "photo")).toBe("1 photo");
  expect(count(1200, "photo")).toBe("1,200 photos");
  expect(formatName("jxl")).toBe("JPEG XL");
  expect(formatName("xyz")).toBe("XYZ");
  expect(extension("IMG_1.heic")).toBe("HEIC");
  expect(extension("README")).toBe("file");
});
