/** Codes of files that were refused at the door: the service has no bytes to try again with. */
export const LOST = new Set(["unsupported-format", "empty-file", "too-large"]);
