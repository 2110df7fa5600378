import { strToU8, zipSync } from "fflate";
import { expect, test } from "vitest";
import { isZip } from "./archives";
import { imagesIn } from "./zip";

const archive = (entries: Record<string, string>) =>
  new File([zipSync(Object.fromEntries(Object.entries(entries).map(([name, text]) => [name, strToU8(text)]))) as BlobPart], "a.zip");

test("images are taken from all folders, what is none stays", async () => {
  const images = await imagesIn(
    archive({ "a.jpg": "1", "deep/er/B.PNG": "22", "notes.txt": "x", "__MACOSX/a.jpg": "y", "deep/.hidden.jpg": "z" }),
  );
  expect(images.map(({ name, size, type }) => [name, size, type])).toEqual([
    ["a.jpg", 1, "image/jpeg"],
    ["B.PNG", 2, "image/png"],
  ]);
});

test("what cannot be used is said in words", async () => {
  await expect(imagesIn(archive({ "notes.txt": "x" }))).rejects.toThrow("There is no image in a.zip.");
  await expect(imagesIn(new File(["no archive at all"], "b.zip"))).rejects.toThrow(/^b\.zip cannot be opened/);
});

test("an archive that says it holds too much is left closed", async () => {
  const bytes = zipSync({ "a.jpg": strToU8("1") });
  // The size of the unpacked file, in the central directory.
  const view = new DataView(bytes.buffer);
  const central = bytes.findIndex((_, i) => i + 4 <= bytes.length && view.getUint32(i, true) === 0x02014b50);
  view.setUint32(central + 24, 0x7fffffff, true);
  await expect(imagesIn(new File([bytes as BlobPart], "c.zip"))).rejects.toThrow(/more than can be opened/);
});

test("archives are known by name or type", () => {
  expect(isZip(new File([], "A.ZIP"))).toBe(true);
  expect(isZip(new File([], "a.jpg", { type: "image/jpeg" }))).toBe(false);
});
