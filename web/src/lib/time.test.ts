import { expect, test } from "vitest";
import { ago } from "./time";

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
