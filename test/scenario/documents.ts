import { readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import type { Stage } from './stage.ts';

const folder = new URL('../../fixtures/seeds/', import.meta.url);

export const documentFile = (path: string): Promise<string> => readFile(new URL(path, folder), 'utf8');

/** Files of the documents as they stand, by path in the repository. */
export async function documentFiles(...paths: readonly string[]): Promise<Record<string, string>> {
  const entries = await Promise.all(paths.map(async (path) => [`apps/${path}`, await documentFile(path)] as const));
  return Object.fromEntries(entries);
}

/** Where the documents' texts are of another time than the agent's, and why. */
const generations: readonly { readonly why: string; readonly from: RegExp; readonly to: string }[] = [
  {
    why: 'kubectl describe prints type, reason, age and source before the message',
    from: /^\s*(?:Normal|Warning)\s+Synced\s+\S+(?: \(x\d+ over \S+\))?\s+flagger\s+/,
    to: '',
  },
  {
    why: 'client-go folds the eleventh text of an object into one event; here each is told',
    from: /^\(combined from similar events\): /,
    to: '',
  },
  { why: 'a measured value', from: /(success rate|404s percentage) \d+\.\d\d/, to: '$1 <measured>' },
  {
    why: 'a mistake of spelling that was corrected',
    from: /generation less then desired/,
    to: 'generation less than desired',
  },
  {
    why: 'four generations of the line about a Deployment that is not ready; how many replicas it waits for is a matter of timing',
    from: /^(?:canary deployment )?(\S+) not ready: waiting for rollout to finish: \d+ .*$/i,
    to: 'Waiting for $1 rollout to finish',
  },
  { why: 'the oldest of them', from: /^(Waiting for \S+ rollout to finish): .*$/, to: '$1' },
  {
    why: 'older than the analysis in its text',
    from: /^Starting canary deployment for/,
    to: 'Starting canary analysis for',
  },
];

const normalised = (line: string): string =>
  generations.reduce((text, { from, to }) => text.replace(from, to), line.trimEnd());

export interface Telling {
  /** Lines that the document leaves out, by their beginnings. */
  readonly unmentioned?: readonly string[];
  /** What happened from this event on; absent: from the beginning. */
  readonly from?: number;
}

/** Their one pod may go before the next one starts (maxUnavailable: 1): Flagger leaves the primary's users to nobody meanwhile. */
const rescue = 'Routing all traffic to canary';

/** The events tell the document's lines in its order and nothing else; lines that repeat at once count once. */
export function expectTold(
  stage: Stage,
  document: readonly string[],
  { unmentioned = [], from = 0 }: Telling = {},
): void {
  const told = stage.happened.slice(from).map(({ message }) => normalised(message));
  const beyond = document.includes(rescue) ? unmentioned : [...unmentioned, rescue];
  const left = told.filter((line) => !beyond.some((beginning) => line.startsWith(beginning)));
  expect(distinct(left), told.join('\n')).toEqual(distinct(document.map(normalised)));
}

const distinct = (lines: readonly string[]): readonly string[] => lines.filter((line, at) => line !== lines[at - 1]);

export async function documentLines(path: string): Promise<readonly string[]> {
  return (await documentFile(path)).split('\n').filter((line) => line !== '');
}
