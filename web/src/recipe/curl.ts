/** The same request for a terminal. */
export function curl(origin: string, files: readonly string[], what: { preset: string } | { recipe: object }): string {
  const field = "preset" in what ? `preset=${what.preset}` : `recipe=${JSON.stringify(what.recipe)}`;
  const images = files.length > 0 ? files.map((name) => `images=@${formName(name)}`) : ["images=@photo.jpg"];
  return [`curl ${quote(`${origin}/process-images`)}`, ...[...images, field].map((part) => `-F ${quote(part)}`)].join(" \\\n  ");
}

// To curl, a name with ; or , would end there: it takes such a name in double quotes.
const formName = (name: string) => (/[;,"\\]/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name);

const quote = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
