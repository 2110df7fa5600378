import { expect, test } from "vitest";
import { type Item, judge } from "./selection";

const limits = { maxFiles: 2, maxFileBytes: 1024 };
const item = (id: number, size: number, refused: string | null = null): Item => ({
  id,
  file: new File([new Uint8Array(size)], `${id}.jpg`),
  picture: null,
  refused,
});

test("each photo that cannot be sent has its reason, and takes no other's place", () => {
  const { good, reasons } = judge([item(1, 0), item(2, 5000), item(3, 10), item(4, 10), item(5, 10)], limits);
  expect(good.map(({ id }) => id)).toEqual([3, 4]);
  expect(reasons.get(1)).toMatch(/empty/);
  expect(reasons.get(2)).toBe("4.88 kB is over the limit of 1 kB.");
  expect(reasons.get(5)).toMatch(/next batch/);
});

test("what the service refused is not sent again", () => {
  const { good, reasons } = judge([item(1, 10, "It is no image."), item(2, 10)], limits);
  expect(good.map(({ id }) => id)).toEqual([2]);
  expect(reasons.get(1)).toBe("It is no image.");
});

test("without limits known yet, only what is empty is held back", () => {
  expect(judge([item(1, 0), item(2, 5000)], undefined).good).toHaveLength(1);
});
