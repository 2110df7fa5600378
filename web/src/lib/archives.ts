/** Apart from what opens them, which is fetched only when there is one. */
export const isZip = (file: File) => /\.zip$/i.test(file.name) || /^application\/(x-)?zip/.test(file.type);
