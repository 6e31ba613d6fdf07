export interface DocumentText {
  readonly text: string;
  /** Lines of the file before this document. */
  readonly linesBefore: number;
}

const marker = /(?<![^\n])---(?=[ \t\r\n]|$)/g;
const onlyComments = /^(?:[ \t]*(?:#[^\n]*)?(?:\r?\n|$))*$/;

/** A text, cut before each line that begins a document; joined, the parts are the text. */
export function cutDocuments(text: string): readonly string[] {
  // Directives belong to the document behind their marker: such rare files are read in one piece.
  if (/(?<![^\n])%/.test(text)) return [text];
  const cuts = [0, ...[...text.matchAll(marker)].map(({ index }) => index).filter((start) => start > 0)];
  return cuts.map((start, position) => text.slice(start, cuts[position + 1]));
}

/** Whether the first part of several is no document: nothing but comments before the first marker. */
export const isPreamble = (part: string): boolean => !/^---(?=[ \t\r\n]|$)/.test(part) && onlyComments.test(part);

/**
 * A YAML stream in parts, so that a document that cannot be read costs only itself. The places are those that a YAML parser counts: what
 * stands before the first marker is a document only if there is more than comments in it.
 */
export function splitDocuments(text: string): readonly DocumentText[] {
  const parts = cutDocuments(text);
  const documents: DocumentText[] = [];
  let linesBefore = 0;
  parts.forEach((part, position) => {
    if (position > 0 || parts.length === 1 || !isPreamble(part)) documents.push({ text: part, linesBefore });
    for (let at = part.indexOf('\n'); at >= 0; at = part.indexOf('\n', at + 1)) linesBefore += 1;
  });
  return documents;
}
