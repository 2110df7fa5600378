import { describe, expect, test } from "vitest";
import { testBatch, testImage } from "../api/testing";
import type { Batch, BatchEvent } from "../api/types";
import { ends, reduce, totals } from "./reduce";

const batch = (): Batch => testBatch([testImage("1", ["square", "story"]), testImage("2", ["square", "story"])]);
const event = (name: string, facts: Partial<BatchEvent> = {}): BatchEvent => ({ event: name, batchId: "b", ...facts });
const made = (jobId: string, variant: string, bytes = 100) =>
  event("variant.completed", { jobId, variant, bytes, url: `/images/${jobId}/${variant}`, width: 10, height: 10, format: "jpeg" });
const log: BatchEvent[] = [
  event("batch.accepted"),
  event("image.started", { jobId: "1" }),
  made("1", "square"),
  made("1", "story", 1100),
  event("image.completed", { jobId: "1" }),
  event("image.started", { jobId: "2" }),
  made("2", "square"),
  event("image.failed", { jobId: "2", errorCode: "corrupt-image", reason: "It is cut short." }),
  event("batch.completed", { status: "completed-with-errors" }),
];

test("the whole log ends in what the record shows", () => {
  const end = reduce(batch(), log);
  expect(end.status).toBe("completed-with-errors");
  expect(end.progress).toMatchObject({ completed: 1, failed: 1, waiting: 0 });
  expect(end.files[0]?.variants[0]).toMatchObject({ state: "completed", savedPercent: 90, url: "/images/1/square" });
  expect(end.files[0]?.variants[1]).toMatchObject({ savedPercent: -10 });
  expect(end.files[1]).toMatchObject({ state: "failed", failedReason: "It is cut short.", errorCode: "corrupt-image" });
  expect(end.files[1]?.variants.map(({ state }) => state)).toEqual(["completed", "failed"]);
  expect(totals(end)).toMatchObject({ made: 3, notMade: 1, failed: 1, bytesOut: 1300, saved: (90 - 10 + 90) / 3 });
});

describe("what is made stays made", () => {
  const end = reduce(batch(), log);
  test.each(log.map((_, i) => i))("when the log is heard again up to line %d", (i) => {
    const again = reduce(end, log.slice(0, i));
    expect(again.files.flatMap((file) => file.variants.filter(({ state }) => state === "completed"))).toHaveLength(3);
  });
});

test("cut anywhere, the log adds up to the same", () => {
  const end = reduce(batch(), log);
  for (let i = 0; i <= log.length; i++) expect(reduce(reduce(batch(), log.slice(0, i)), log.slice(i))).toEqual(end);
});

test("images that did not change are the same objects", () => {
  const before = batch();
  const after = reduce(before, [made("1", "square")]);
  expect(after.files[1]).toBe(before.files[1]);
  expect(after.files[0]).not.toBe(before.files[0]);
  expect(after.status).toBe("processing");
  expect(reduce(before, [])).toBe(before);
  expect(reduce(before, [event("image.unheard-of", { jobId: "1" }), event("variant.completed", { jobId: "9" })]).files).toEqual(
    before.files,
  );
});

test("a retry waits again, a reopened batch goes on", () => {
  const end = reduce(reduce(batch(), log), [event("batch.reopened"), event("image.replayed", { jobId: "2" })]);
  expect(end.status).toBe("processing");
  expect(end.files[1]).toMatchObject({ state: "waiting", failedReason: null });
  expect(end.files[1]?.variants.map(({ state }) => state)).toEqual(["completed", "waiting"]);
});

test("only two events end a log", () => {
  expect(log.filter(ends)).toHaveLength(1);
  expect(ends(event("batch.canceled"))).toBe(true);
  expect(reduce(batch(), [event("batch.canceled")]).status).toBe("canceled");
});
