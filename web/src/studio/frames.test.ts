import { expect, test } from "vitest";
import { frameOf, ratioOf, sizeOf } from "./frames";

test("a cut square keeps its shape whatever the photo's", () => {
  const frame = frameOf({ name: "square", steps: [{ op: "resize", width: 1080, height: 1080, fit: "cover" }] });
  expect(ratioOf(frame, 1.5)).toBe(1);
  expect(sizeOf(frame)).toBe("1080 × 1080");
});

test("a width alone keeps the photo's shape", () => {
  const frame = frameOf({ name: "default", steps: [{ op: "resize", width: 512 }, { op: "grayscale" }], output: { format: "jpeg" } });
  expect(ratioOf(frame, 1.5)).toBe(1.5);
  expect(sizeOf(frame)).toBe("512 wide");
  expect(frame).toMatchObject({ grey: true, blurred: false, format: "jpeg" });
});

test("no step: the photo as it is", () => {
  expect(sizeOf(frameOf({ name: "same" }))).toBe("full size");
});
