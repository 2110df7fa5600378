import { expect, test } from "vitest";
import { testImage, testVariant } from "../api/testing";
import type { Variant } from "../api/types";
import { markdown, picture } from "./snippets";

const made = (name: string, format: string, width: number, height: number): Variant => ({
  ...testVariant(name),
  state: "completed",
  url: `/images/1/${name}`,
  format,
  width,
  height,
});
const variants = [
  made("w800", "jpeg", 800, 600),
  made("w400", "jpeg", 400, 300),
  made("a800", "avif", 800, 600),
  made("square", "jpeg", 500, 500),
  testVariant("late"),
];
const image = { ...testImage("1", []), originalName: 'my "best" [1].jpg', variants };

test("a picture holds what shows the same cut, and nothing else", () => {
  const html = picture(image, image.variants[0] as Variant);
  const holder = document.createElement("div");
  holder.innerHTML = html;
  expect(holder.querySelectorAll("source")).toHaveLength(1);
  expect(holder.querySelector("source")?.getAttribute("type")).toBe("image/avif");
  const img = holder.querySelector("img");
  expect(img?.getAttribute("src")).toMatch(/\/images\/1\/w800$/);
  expect(img?.getAttribute("srcset")).toMatch(/w400 400w, .*w800 800w$/);
  expect(img?.getAttribute("alt")).toBe('my "best" [1]');
  expect(html).not.toContain("square");
});

test("one variant alone needs no srcset", () => {
  expect(picture(image, image.variants[3] as Variant)).not.toContain("srcset");
});

test("markdown escapes its own signs", () => {
  expect(markdown(image, image.variants[0] as Variant)).toMatch(/^!\[my "best" \\\[1\\\]\]\(http.*\/images\/1\/w800\)$/);
});
