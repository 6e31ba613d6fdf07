import { AgentError, messageOf } from '../lib/errors.ts';
import type { HttpResponse } from '../lib/http/http.ts';
import { own } from '../lib/own.ts';
import {
  basicAuthorization,
  httpProvider,
  jsonOf,
  noValues,
  numberReading,
  parseOnline,
  refusal,
  refused,
  urlUnder,
} from './http-provider.ts';
import type { MetricProvider, MetricQuery, MetricTarget, Reading } from './provider.ts';

const name = 'JSON over HTTP';
/** Deeper than this nobody looks by hand. */
const maxSteps = 32;
const form = 'a path on its first line and where the number stands on its second: /stats?app=shop and $.data.errors[0]';

interface Question {
  readonly path: string;
  readonly search: Readonly<Record<string, string>>;
  readonly steps: readonly (string | number)[];
}

/**
 * Any server that answers JSON. The query is a path with its own query, and on the next line where the number stands, as JSONPath has it: names and
 * indices after `$`. True counts as 1 and false as 0.
 */
export const web: MetricProvider = {
  ...httpProvider({
    name: 'web',
    about: { title: name, url: 'https://www.rfc-editor.org/rfc/rfc9535' },
    measure: { request: requestFor, parse: (response, { query }) => readingAt(response, questionOf(query).steps) },
    probe: {
      request: (target) => ({ url: urlUnder(target.address, '').href, headers: headersFor(target) }),
      parse: parseOnline(name),
    },
  }),
  queryProblem(query) {
    // What a template fills in is not known yet.
    const written = withoutActions(query);
    try {
      questionOf(written);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  },
};

function requestFor(query: MetricQuery): { url: string; headers: Record<string, string> } {
  const { path, search } = questionOf(query.query);
  return { url: urlUnder(query.address, path, search).href, headers: headersFor(query) };
}

function headersFor({ credentials, headers = {} }: MetricTarget): Record<string, string> {
  const token = credentials?.['token']?.trim();
  const authorization =
    token === undefined ? basicAuthorization(credentials, 'a token, or a username and a password') : `Bearer ${token}`;
  const given = Object.entries(headers).map(([header, values]) => [header.toLowerCase(), values.join(', ')]);
  return {
    accept: 'application/json',
    ...Object.fromEntries(given),
    ...(authorization === undefined ? {} : { authorization }),
  };
}

/** Throws AgentError CANARY_INVALID of what is no question. */
function questionOf(text: string): Question {
  const [where = '', pointer = '', ...rest] = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const steps = stepsOf(pointer);
  if (!where.startsWith('/') || !steps || rest.length > 0)
    throw new AgentError('CANARY_INVALID', `the query of a web provider is ${form}`);
  const [path = '', query = ''] = where.split(/\?(.*)/s);
  return { path, search: Object.fromEntries(new URLSearchParams(query)), steps };
}

/** `$.a.b[0]['c d'][-1]`; undefined where it is none such. */
function stepsOf(pointer: string): readonly (string | number)[] | undefined {
  const steps: (string | number)[] = [];
  const step = /\.([A-Za-z_][\w-]*)|\[(-?\d{1,9})\]|\['([^']{1,200})'\]/y;
  if (!pointer.startsWith('$')) return undefined;
  step.lastIndex = 1;
  while (step.lastIndex < pointer.length) {
    const match = step.exec(pointer);
    if (!match || steps.length === maxSteps) return undefined;
    const [, named, index, quoted] = match;
    steps.push(index === undefined ? (named ?? quoted ?? '') : Number(index));
  }
  return steps;
}

function readingAt(response: HttpResponse, steps: readonly (string | number)[]): Reading {
  if (response.status !== 200) return refusal(name, response);
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  const found = steps.reduce<unknown>((value, step) => {
    if (typeof step === 'number') return Array.isArray(value) ? (value as unknown[]).at(step) : undefined;
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? own(value as Readonly<Record<string, unknown>>, step)
      : undefined;
  }, read.json);
  if (found === undefined) return refused('the answer has nothing where the query says', true);
  if (found === null) return noValues;
  return numberReading(typeof found === 'boolean' ? Number(found) : found);
}

/** With a letter where each action of the template stands; one that does not end is told elsewhere. */
function withoutActions(query: string): string {
  const [first = '', ...others] = query.split('{{');
  return first + others.map((part) => `x${part.slice(part.indexOf('}}') + 1).replace(/^\}/, '')}`).join('');
}
