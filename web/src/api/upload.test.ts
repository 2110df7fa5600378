import { expect, test } from "vitest";
import { shareProgress } from "./upload";

test("files travel one after the other", () => {
  expect(shareProgress([100, 100, 200], 0, 400)).toEqual([0, 0, 0]);
  expect(shareProgress([100, 100, 200], 150, 400)).toEqual([1, 0.5, 0]);
  expect(shareProgress([100, 100, 200], 400, 400)).toEqual([1, 1, 1]);
});

test("what surrounds the files is shared out", () => {
  const shares = shareProgress([100, 300], 220, 440);
  expect(shares[0]).toBe(1);
  expect(shares[1]).toBeCloseTo(1 / 3);
});

test("an empty file has no part of its own", () => {
  expect(shareProgress([0, 100], 50, 100)).toEqual([1, 0.5]);
  expect(shareProgress([0], 10, 10)).toEqual([1]);
  expect(shareProgress([], 0, 0)).toEqual([]);
});
