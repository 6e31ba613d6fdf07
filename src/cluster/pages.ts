import { AgentError } from '../lib/errors.ts';
import { groupOf, type KubeObject } from '../manifest/types.ts';
import type { KindRef } from './cluster.ts';

export interface Page {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  /** Where the next one begins; empty: there is none. */
  readonly next: string;
  /** Characters of the whole answer. */
  readonly length: number;
}

/** What is asked of one page. `maxBytes`: an answer that is longer is given up as `tooLong`. Absent: it may have any length. */
export interface PageRequest {
  readonly limit: number;
  readonly from: string;
  readonly maxBytes: number | undefined;
}

/** Reads lists page by page. No answer is larger than fits into memory beside all else, however large the objects are. */
export interface Pager {
  /** `most`: no more objects than so many are asked for; absent: all. */
  pages(kind: KindRef, ask: (page: PageRequest) => Promise<Page>, most?: number): AsyncGenerator<Page, void>;
}

const largestPage = 500;
/** Objects of these kinds are often large: what does not fit would be made by the server, and sent, for nothing. */
const firstPage: ReadonlyMap<string, number> = new Map([
  ['/ConfigMap', 50],
  ['/Secret', 50],
  ['apiextensions.k8s.io/CustomResourceDefinition', 50],
]);
/** Parsed, and with the text beside it, it takes several times as much. */
export const pageBytes = 8 * 1024 * 1024;

/** The answer is longer than it may be. */
export const tooLong = (what: string, maxBytes: number): AgentError =>
  new AgentError('CLUSTER_REFUSED', `${what}: the answer has more than ${maxBytes} bytes`, {
    details: { reason: tooLongReason },
  });
const tooLongReason = 'AnswerTooLong';
const isTooLong = (error: unknown): boolean => error instanceof AgentError && error.details['reason'] === tooLongReason;

/** What was learnt of a kind holds for its next lists, as after a watch that broke. */
export function createPager(): Pager {
  const sizes = new Map<string, number>();
  return {
    async *pages(kind, ask, most = Number.POSITIVE_INFINITY) {
      const name = `${groupOf(kind.apiVersion)}/${kind.kind}`;
      let left = most;
      let from = '';
      do {
        const limit = Math.min(sizes.get(name) ?? firstPage.get(name) ?? largestPage, left);
        let page: Page;
        try {
          // A single object is as large as the cluster lets it be.
          page = await ask({ limit, from, maxBytes: limit > 1 ? pageBytes : undefined });
        } catch (error) {
          if (!isTooLong(error) || limit === 1) throw error;
          sizes.set(name, Math.max(1, Math.floor(limit / 4)));
          continue;
        }
        if (page.items.length > 0) sizes.set(name, nextSize(limit, page));
        left -= page.items.length;
        yield page;
        from = page.next;
        if (from === '') return;
      } while (left > 0);
    },
  };
}

/** So many that the next page has half of what it may have, if its objects are alike. */
function nextSize(limit: number, { items, length }: Page): number {
  const fitting = Math.floor((items.length * pageBytes) / (2 * Math.max(length, 1)));
  return Math.max(1, Math.min(largestPage, 10 * limit, fitting));
}
