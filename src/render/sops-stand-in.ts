import { own } from '../lib/own.ts';
import { cutDocuments } from '../manifest/documents.ts';
import type { SopsFormat } from './sops-file.ts';

/** Told of what cannot be made of stand-ins. */
export const withoutKeys = 'it cannot be looked at without the keys of what is encrypted in it';

/** A text, and base64 of one. */
const word = 'c3RhbmQtaW4=';
const byType: Readonly<Record<string, string>> = { int: '1', float: '1.5', bool: 'true' };
const encrypted = /("?)ENC\[AES256_GCM,[^\]"[\n]*,type:(\w+)\]\1/g;

/**
 * The file with something of the same kind in the place of each value that is encrypted, and without what SOPS has written about it: for who
 * has no key and looks at all else.
 */
export function standInFor(format: SopsFormat, content: Uint8Array): Uint8Array {
  const text = Buffer.from(content.buffer, content.byteOffset, content.length).toString('utf8');
  if (format === 'binary') return Buffer.from(word);
  return Buffer.from(
    withoutMetadata(format, text).replace(
      encrypted,
      (_, quote: string, type: string) => own(byType, type) ?? `${quote}${word}${quote}`,
    ),
  );
}

function withoutMetadata(format: Exclude<SopsFormat, 'binary'>, text: string): string {
  if (format === 'json') {
    try {
      const { sops: _metadata, ...rest } = JSON.parse(text) as Record<string, unknown>;
      return JSON.stringify(rest);
    } catch {
      return text;
    }
  }
  if (format === 'dotenv')
    return text
      .split('\n')
      .filter((line) => !line.startsWith('sops_'))
      .join('\n');
  if (format === 'ini') {
    const lines = text.split('\n');
    const start = lines.findIndex((line) => /^\[sops\]\s*$/.test(line));
    return start < 0 ? text : lines.slice(0, start).join('\n');
  }
  return cutDocuments(text).map(withoutSection).join('');
}

function withoutSection(document: string): string {
  const lines = document.split('\n');
  const start = lines.findIndex((line) => line.startsWith('sops:'));
  if (start < 0) return document;
  const end = lines.findIndex((line, at) => at > start && /^[^\s#]/.test(line));
  return [...lines.slice(0, start), ...(end < 0 ? [''] : lines.slice(end))].join('\n');
}
