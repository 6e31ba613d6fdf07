import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ago } from '../../src/ui/pages/times.ts';

const folder = join(import.meta.dirname, '../../src/ui/assets');
const own = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
const require = createRequire(import.meta.url);
const uplot = readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'));

describe('what browsers load', () => {
  it('is small: no file above 60 kB by gzip, and all of a page together not either', () => {
    const sizes = [...own.map(({ text }) => gzipSync(text).length), gzipSync(uplot).length];
    for (const size of sizes) expect(size).toBeLessThan(60_000);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(60_000);
  });

  it('comes from nowhere else, and runs no text as a program', () => {
    for (const { name, text } of own) {
      expect(text.replaceAll('http://www.w3.org/2000/svg', ''), name).not.toMatch(/https?:|@import|@font-face|url\(/);
      expect(text, name).not.toMatch(/\beval\(|new Function|document\.write|navigator\.sendBeacon/);
    }
  });

  it('says times in the words of the pages', async () => {
    const script = (await import(join(folder, 'ago.js'))) as { ago: typeof ago };
    for (const seconds of [0, 1, 2, 59, 89, 90, 3_000, 5_399, 5_400, 90_000, 129_599, 129_600, 9e6, -1, -30, -500])
      expect(script.ago(1e12, 1e12 + seconds * 1_000)).toBe(ago(1e12, 1e12 + seconds * 1_000));
  });

  it('says status by a colour that can be read on its ground, in light and dark', () => {
    const css = own.find(({ name }) => name === 'style.css')?.text ?? '';
    const colours = new Map(
      [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name = '', light = '', dark = '']) => [
        name,
        [light, dark] as const,
      ]),
    );
    const pairs: readonly (readonly [string, string])[] = [
      ...['text', 'muted', 'link', 'ok', 'moving', 'waits', 'failed', 'idle'].flatMap((ink) =>
        ['surface', 'ground', 'sunken'].map((ground) => [ink, ground] as const),
      ),
      ...['ok', 'moving', 'waits', 'failed'].map((tone) => [tone, `${tone}-soft`] as const),
    ];
    for (const [ink, ground] of pairs)
      for (const index of [0, 1] as const)
        expect(
          contrast(colours.get(ink)?.[index] ?? '', colours.get(ground)?.[index] ?? ''),
          `${ink} on ${ground}`,
        ).toBeGreaterThan(4.5);
  });
});

function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].toSorted((one, other) => other - one);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
