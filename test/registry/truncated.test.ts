import fc from 'fast-check';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import type { HttpResponse } from '../../src/lib/http/http.ts';
import { createRegistryClient } from '../../src/registry/client.ts';

const { signal } = new AbortController();
const reference = { registry: 'registry.test', repository: 'team/app' };

/** Pages of a list as a registry sends them, the last one without a link. */
function pagesOf(tags: readonly string[], size: number): readonly HttpResponse[] {
  const count = Math.max(1, Math.ceil(tags.length / size));
  return Array.from({ length: count }, (_, at) => ({
    status: 200,
    headers: at + 1 < count ? { link: `</v2/team/app/tags/list?page=${at + 1}>; rel="next"` } : {},
    body: JSON.stringify({ name: 'team/app', tags: tags.slice(at * size, (at + 1) * size) }),
  }));
}

it('A list that ends anywhere before its end is none: a page that is cut, one that fails, one that is missing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}$/), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.double({ min: 0, max: 0.9999, noNaN: true }),
      fc.double({ min: 0, max: 0.9999, noNaN: true }),
      fc.constantFrom('cut', 'error', 'silent'),
      async (tags, size, atPage, atByte, how) => {
        const pages = pagesOf(tags, size);
        const harmed = Math.floor(pages.length * atPage);
        const clientOf = (answer: (page: number) => HttpResponse) =>
          createRegistryClient({
            clock: systemClock,
            maxAnswerBytes: 1_000_000,
            pace: { burst: 1_000_000, perSecond: 1_000_000 },
            http: {
              request: async ({ url }) => answer(Number(new URL(url).searchParams.get('page') ?? 0)),
            },
          });
        const whole = (page: number): HttpResponse => pages[page] ?? { status: 404, headers: {}, body: '' };
        expect(await clientOf(whole).tags(reference, {}, signal)).toMatchObject({
          kind: 'answer',
          value: { tags: [...tags] },
        });
        const client = clientOf((page) => {
          const answer = whole(page);
          if (page !== harmed) return answer;
          if (how === 'error') return { ...answer, status: 502 };
          if (how === 'silent') throw new Error('the connection was closed before all was there');
          return { ...answer, body: answer.body.slice(0, Math.floor(answer.body.length * atByte)) };
        });
        expect(await client.tags(reference, {}, signal)).toMatchObject({ kind: 'failed' });
      },
    ),
    { numRuns: 1_000 },
  );
});
