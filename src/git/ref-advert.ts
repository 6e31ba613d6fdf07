import { AgentError } from '../lib/errors.ts';
import { malformed, type Packet, textOf } from './pkt-line.ts';

export interface RefAdvert {
  readonly refs: ReadonlyMap<string, { readonly oid: string; readonly peeled: string | undefined }>;
  readonly capabilities: readonly string[];
}

/** The ref advertisement of protocol 0 and 1, which pushing still begins with. GIT_PROTOCOL where its ids are not SHA-1. */
export function readAdvert(packets: readonly Packet[], service: string): RefAdvert {
  const lines = packets.flatMap((packet) => (packet.kind === 'data' ? [textOf(packet.payload)] : []));
  const begin = lines.indexOf(`# service=${service}`);
  const body = lines.slice(begin + 1).filter((line) => line !== 'version 1');
  const refs = new Map<string, { oid: string; peeled: string | undefined }>();
  let capabilities: readonly string[] | undefined;
  for (const line of body) {
    const zero = line.indexOf('\0');
    if (zero >= 0) capabilities ??= wordsOf(line.slice(zero + 1));
    const [oid, name] = splitOnce(zero >= 0 ? line.slice(0, zero) : line);
    if (oid === 'shallow') continue;
    assertSha1(oid, capabilities);
    if (name === 'capabilities^{}') continue;
    if (name.endsWith('^{}')) {
      const tag = refs.get(name.slice(0, -3));
      if (tag) tag.peeled = oid;
    } else refs.set(name, { oid, peeled: undefined });
  }
  if (!capabilities) throw malformed('the ref advertisement lists no capabilities');
  return { refs, capabilities };
}

/** Throws where a ref's id is none of SHA-1: every id would be cut off. */
export function assertSha1(oid: string, capabilities: readonly string[] = []): void {
  const format = capabilities.find((word) => word.startsWith('object-format='))?.slice('object-format='.length);
  if ((format !== undefined && format !== 'sha1') || /^[0-9a-f]{64}$/.test(oid))
    throw foreignFormat(format ?? 'sha256');
  if (!/^[0-9a-f]{40}$/.test(oid)) throw malformed(`no object id but ${JSON.stringify(oid.slice(0, 80))}`);
}

export const foreignFormat = (format: string): AgentError =>
  new AgentError(
    'GIT_PROTOCOL',
    `the repository names its objects by ${format}, and only sha1 is supported; make it anew with git init --object-format=sha1`,
  );

const wordsOf = (text: string): readonly string[] => text.split(' ').filter((word) => word !== '');

function splitOnce(line: string): readonly [string, string] {
  const space = line.indexOf(' ');
  return space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
}
