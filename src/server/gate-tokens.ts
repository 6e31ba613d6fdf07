import { createHash, timingSafeEqual } from 'node:crypto';

/** One line of the file: a token, and the namespaces whose gates it may change. */
export interface GateToken {
  readonly token: string;
  /** Absent: all namespaces that the agent looks after. */
  readonly namespaces?: readonly string[];
}

/** `TOKEN` or `TOKEN namespace,namespace`, a line each; empty lines and those that begin with # say nothing. */
export function parseGateTokens(text: string): readonly GateToken[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [token = '', ...namespaces] = line.split(/[\s,]+/).filter((part) => part !== '');
      return namespaces.length === 0 ? { token } : { token, namespaces };
    });
}

/** What an Authorization header may do in a namespace. Takes the same time for every wrong token. */
export function rightOf(
  tokens: readonly GateToken[],
  header: string | undefined,
  namespace: string,
): 'granted' | 'unknown' | 'elsewhere' {
  const given = digest(/^Bearer (\S+)$/i.exec(header ?? '')?.[1] ?? '');
  const known = tokens.filter(({ token }) => timingSafeEqual(digest(token), given));
  if (known.length === 0) return 'unknown';
  const isHere = known.some(({ namespaces }) => namespaces === undefined || namespaces.includes(namespace));
  return isHere ? 'granted' : 'elsewhere';
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
