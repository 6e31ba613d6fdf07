import { createHash, hash } from 'node:crypto';

/** JSON with sorted keys and without undefined members: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (value === undefined) return 'null';
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = value as Readonly<Record<string, unknown>>;
  let text = '';
  for (const key of Object.keys(members).sort()) {
    const member = members[key];
    if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}

export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data);
}

/** Of a text that comes in parts, so that a long one need not be made as a whole. */
export function sha256OfParts(): { add(part: string): void; hex(): string } {
  const made = createHash('sha256');
  return { add: (part) => void made.update(part), hex: () => made.digest('hex') };
}

/** Short readable hash in the alphabet of Kubernetes' pod-template-hash (no vowels, no 0, 1, 3), from 32 bit FNV-1a. */
export function shortHash(text: string): string {
  return String(fnv1a(text)).replace(/\d/g, (digit) => '456789bcdf'.charAt(Number(digit)));
}

/** 32 bit FNV-1a of the UTF-8 text: for spreading, not for telling apart. */
export function fnv1a(text: string): number {
  let bits = 0x811c9dc5;
  const bytes = Buffer.from(text, 'utf8');
  for (let at = 0; at < bytes.length; at += 1) bits = Math.imul(bits ^ (bytes[at] ?? 0), 0x01000193) >>> 0;
  return bits;
}
