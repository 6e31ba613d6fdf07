import type { StoredObject } from '../types.ts';
import { fieldsOf, type Fields, listOf, textOf } from './read.ts';
import { isPathPrefix, type RouteRequest } from './route.ts';

export interface MatchedRule {
  readonly route: StoredObject;
  readonly rule: Fields;
  readonly ruleIndex: number;
  /** The matched prefix, for rewriting; empty when the match was none. */
  readonly prefix: string;
}

interface Candidate extends MatchedRule {
  /** Compared from the left, larger first. */
  readonly rank: readonly number[];
}

/** The rule that the Gateway API puts first: exact path, longer path, method, more headers, more parameters, older route, order. */
export function matchRules(routes: readonly StoredObject[], request: RouteRequest): MatchedRule | undefined {
  const inAge = [...routes].sort(olderFirst);
  const candidates = inAge.flatMap((route) =>
    listOf(fieldsOf(route.spec).rules).flatMap((rule, ruleIndex) =>
      matchesOf(rule).flatMap((match): Candidate[] => {
        if (!fits(match, request)) return [];
        const { type, value } = pathOf(match);
        return [{ route, rule, ruleIndex, prefix: type === 'PathPrefix' ? value : '', rank: rankOf(match) }];
      }),
    ),
  );
  // The sort is stable, so age and order decide between equals.
  return candidates.sort(higherFirst)[0];
}

function matchesOf(rule: Fields): readonly Fields[] {
  const matches = listOf(rule.matches);
  return matches.length > 0 ? matches : [{}];
}

function olderFirst(a: StoredObject, b: StoredObject): number {
  const [left, right] = [a, b].map(({ metadata }) =>
    [metadata.creationTimestamp, metadata.namespace ?? '', metadata.name].join('\u0000'),
  );
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

function higherFirst(a: Candidate, b: Candidate): number {
  for (const [index, left] of a.rank.entries()) {
    const difference = (b.rank[index] ?? 0) - left;
    if (difference !== 0) return difference;
  }
  return 0;
}

const PATH_RANK: Readonly<Record<string, number>> = { Exact: 2, RegularExpression: 1, PathPrefix: 0 };

function rankOf(match: Fields): readonly number[] {
  const { type, value } = pathOf(match);
  return [
    PATH_RANK[type] ?? 0,
    value.length,
    textOf(match.method) === '' ? 0 : 1,
    listOf(match.headers).length,
    listOf(match.queryParams).length,
  ];
}

function pathOf(match: Fields): { type: string; value: string } {
  const path = fieldsOf(match.path);
  return { type: textOf(path.type) || 'PathPrefix', value: textOf(path.value) || '/' };
}

function fits(match: Fields, { method, path, headers, query }: RouteRequest): boolean {
  const wanted = pathOf(match);
  const header = (name: string): string | undefined => {
    const value = headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : value;
  };
  return (
    pathFits(wanted, path) &&
    (textOf(match.method) === '' || match.method === method) &&
    listOf(match.headers).every((one) => valueFits(one, header(textOf(one.name)))) &&
    listOf(match.queryParams).every((one) => valueFits(one, query.get(textOf(one.name)) ?? undefined))
  );
}

function pathFits({ type, value }: { type: string; value: string }, path: string): boolean {
  if (type === 'Exact') return path === value;
  return type === 'RegularExpression' ? matchesWhole(value, path) : isPathPrefix(value, path);
}

function valueFits(wanted: Fields, value: string | undefined): boolean {
  if (value === undefined) return false;
  return textOf(wanted.type) === 'RegularExpression'
    ? matchesWhole(textOf(wanted.value), value)
    : value === textOf(wanted.value);
}

/** A pattern that cannot be read fits nothing. */
export function matchesWhole(pattern: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, 's').test(text);
  } catch {
    return false;
  }
}
