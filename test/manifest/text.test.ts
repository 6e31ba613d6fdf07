import { describe, expect, it } from 'vitest';
import { textIn } from '../../src/manifest/text.ts';

const manifest = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: größe }\n';

describe('the text of a file', () => {
  it('is what is UTF-8, with its byte order mark, however it was given', () => {
    expect(textIn(Buffer.from(`\uFEFF${manifest}`))).toBe(`\uFEFF${manifest}`);
    expect(textIn(manifest)).toBe(manifest);
    expect(textIn(Buffer.from('a: "\uFFFD"\n'))).toBe('a: "\uFFFD"\n');
    expect(textIn(new Uint8Array())).toBe('');
  });

  it.each([
    [
      'UTF-16 of either order',
      Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(manifest, 'utf16le').swap16()]),
      1,
      true,
    ],
    ['UTF-32', Buffer.from(manifest.split('').flatMap((char) => [char.charCodeAt(0), 0, 0, 0])), 1, true],
    ['a byte cut off at its end', Buffer.from(manifest).subarray(0, manifest.indexOf('ö') + 1), 3, true],
    ['data of somebody', Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0xff]), 1, false],
    ['more than can be read', Buffer.alloc(16 * 1024 * 1024 + 1, 0x20), 1, true],
  ])('is not %s', (_what, bytes, line, isMeant) => {
    expect(textIn(bytes)).toMatchObject({ line, isMeant });
  });
});
