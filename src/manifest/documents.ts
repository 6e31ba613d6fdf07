export interface DocumentText {
  readonly text: string;
  /** Lines of the file before this document. */
  readonly linesBefore: number;
}

const marker = /(?<![^\n])---(?=[ \t\r\n]|$)/g;
const onlyComments = /^(?:[ \t]*(?:#[^\n]*)?(?:\r?\n|$))*$/;

/**
 * A YAML stream, cut before each line that begins a document, so that a document that cannot be read costs only itself. The places are
 * those that a YAML parser counts: what stands before the first marker is a document only if there is more than comments in it.
 */
export function splitDocuments(text: string): readonly DocumentText[] {
  // Directives belong to the document behind their marker: such rare files are read in one piece.
  if (/(?<![^\n])%/.test(text)) return [{ text, linesBefore: 0 }];
  const starts = [...text.matchAll(marker)].map(({ index }) => index);
  const cuts = [0, ...starts.filter((start) => start > 0)];
  const documents: DocumentText[] = [];
  let linesBefore = 0;
  cuts.forEach((start, position) => {
    const part = text.slice(start, cuts[position + 1]);
    const isPreamble = position === 0 && starts[0] !== 0 && cuts.length > 1 && onlyComments.test(part);
    if (!isPreamble) documents.push({ text: part, linesBefore });
    for (let at = part.indexOf('\n'); at >= 0; at = part.indexOf('\n', at + 1)) linesBefore += 1;
  });
  return documents;
}
