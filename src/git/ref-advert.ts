import { malformed, type Packet, textOf } from './pkt-line.ts';

export interface RefAdvert {
  readonly refs: ReadonlyMap<string, { readonly oid: string; readonly peeled: string | undefined }>;
  readonly capabilities: readonly string[];
}

/** The ref advertisement of protocol 0 and 1, which pushing still begins with. */
export function readAdvert(packets: readonly Packet[], service: string): RefAdvert {
  const lines = packets.flatMap((packet) => (packet.kind === 'data' ? [textOf(packet.payload)] : []));
  const begin = lines.indexOf(`# service=${service}`);
  const body = lines.slice(begin + 1).filter((line) => line !== 'version 1');
  const refs = new Map<string, { oid: string; peeled: string | undefined }>();
  let capabilities: readonly string[] | undefined;
  for (const line of body) {
    const zero = line.indexOf('\0');
    if (zero >= 0)
      capabilities ??= line
        .slice(zero + 1)
        .split(' ')
        .filter((word) => word !== '');
    const text = zero >= 0 ? line.slice(0, zero) : line;
    const oid = text.slice(0, 40);
    const name = text.slice(41);
    if (name === 'capabilities^{}' || oid.startsWith('shallow')) continue;
    if (name.endsWith('^{}')) {
      const tag = refs.get(name.slice(0, -3));
      if (tag) tag.peeled = oid;
    } else refs.set(name, { oid, peeled: undefined });
  }
  if (!capabilities) throw malformed('the ref advertisement lists no capabilities');
  return { refs, capabilities };
}
