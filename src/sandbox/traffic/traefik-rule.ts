import { matchesWhole } from './http-route-match.ts';
import type { RouteRequest } from './route.ts';

const TOKEN = /&&|\|\||[!(),]|`[^`]*`|"[^"]*"|\w+/g;

export type RuleTest = (request: RouteRequest) => boolean;

/**
 * Traefik's rules: ``Host(`a`) && (PathPrefix(`/b`) || Headers(`x`, `y`))``. Undefined when the rule cannot be read: Traefik
 * leaves such a route out.
 */
export function parseTraefikRule(rule: string): RuleTest | undefined {
  const tokens = rule.match(TOKEN) ?? [];
  if (rule.replace(TOKEN, '').trim() !== '') return undefined;
  let at = 0;
  const accept = (token: string): boolean => tokens[at] === token && (at += 1) > 0;

  const anyOf = (): RuleTest | undefined => {
    let left = allOf();
    while (left && accept('||')) left = join(left, allOf(), (a, b) => a || b());
    return left;
  };
  const allOf = (): RuleTest | undefined => {
    let left = one();
    while (left && accept('&&')) left = join(left, one(), (a, b) => a && b());
    return left;
  };
  const one = (): RuleTest | undefined => {
    if (accept('!')) {
      const inner = one();
      return inner && ((request) => !inner(request));
    }
    if (accept('(')) {
      const inner = anyOf();
      return accept(')') ? inner : undefined;
    }
    const name = tokens[at];
    at += 1;
    if (name === undefined || !accept('(')) return undefined;
    const args: string[] = [];
    do {
      const arg = tokens[at];
      if (arg === undefined || !/^[`"]/.test(arg)) return undefined;
      args.push(arg.slice(1, -1));
      at += 1;
    } while (accept(','));
    return accept(')') ? matcher(name, args) : undefined;
  };
  const test = anyOf();
  return at === tokens.length ? test : undefined;
}

function join(
  left: RuleTest,
  right: RuleTest | undefined,
  both: (left: boolean, right: () => boolean) => boolean,
): RuleTest | undefined {
  return right && ((request) => both(left(request), () => right(request)));
}

function matcher(name: string, args: readonly string[]): RuleTest | undefined {
  const [first = '', second = ''] = args;
  switch (name) {
    case 'Host':
      return ({ host }) => args.some((arg) => arg.toLowerCase() === host);
    case 'HostRegexp':
      return ({ host }) => args.some((arg) => matchesPart(arg, host));
    case 'Path':
      return ({ path }) => args.includes(path);
    case 'PathPrefix':
      return ({ path }) => args.some((arg) => path.startsWith(arg));
    case 'PathRegexp':
      return ({ path }) => args.some((arg) => matchesPart(arg, path));
    case 'Method':
      return ({ method }) => args.some((arg) => arg.toUpperCase() === method);
    case 'Header':
    case 'Headers':
      return ({ headers }) => headers[first.toLowerCase()] === second;
    case 'HeaderRegexp':
    case 'HeadersRegexp':
      return ({ headers }) => matchesPart(second, String(headers[first.toLowerCase()] ?? ''));
    case 'Query':
      return ({ query }) => args.length > 1 && query.get(first) === second;
    default:
      return undefined;
  }
}

/** As Go's regexp does, anywhere in the text unless the pattern is anchored. */
function matchesPart(pattern: string, text: string): boolean {
  return matchesWhole(`[^]*(?:${pattern})[^]*`, text);
}
