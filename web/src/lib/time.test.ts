import { expect, test } from "vitest";
import { ago, seconds } from "./time";

const now = Date.parse("2026-11-22T12:00:00Z");

test.each([
  ["2026-11-22T11:59:30Z", "just now"],
  ["2026-11-22T12:00:30Z", "just now"],
  ["2026-11-22T11:57:00Z", "3 minutes ago"],
  ["2026-11-21T11:00:00Z", "yesterday"],
  ["2025-11-01T00:00:00Z", "last year"],
])("%s was %s", (iso, text) => {
  expect(ago(iso, now)).toBe(text);
});

test.each([
  [0, "0 ms"],
  [0.085, "85 ms"],
  [1.23, "1.2 s"],
  [59.6, "60 s"],
  [180, "3 min"],
  [7200, "2 h"],
])("%d s read %s", (value, text) => {
  expect(seconds(value)).toBe(text);
});
