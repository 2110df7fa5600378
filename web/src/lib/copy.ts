/** Puts text on the clipboard; also where the page has no secure origin and so no clipboard of its own. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr-only";
  const dialog = document.querySelector("dialog[open]");
  (dialog ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("The clipboard is not open to this page.");
}
