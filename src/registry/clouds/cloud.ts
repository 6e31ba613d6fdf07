import type { Clock } from '../../lib/clock.ts';
import type { Http, HttpResponse } from '../../lib/http/http.ts';
import type { Credentials } from '../docker-config.ts';
import { Failed } from '../failure.ts';
import type { Lasting } from '../renewed.ts';

/** A cloud whose registries take credentials that its own API gives, for hours. */
export interface Cloud {
  /** Whether the registry is one of the cloud's own, and what its credentials are kept under; undefined: it is none. */
  keyOf(registry: string): string | undefined;
  /** Fetches credentials; `registry` is one of its own. Throws Failed. */
  fetch(registry: string, signal: AbortSignal): Promise<Lasting<Credentials>>;
}

export interface CloudDeps {
  readonly clock: Clock;
  /** For the cloud's APIs. */
  readonly http: Http;
  /** For what answers only on the machine itself or beside it: no proxy, and no address is refused. */
  readonly local: Http;
  /** Where the platform says who the agent is; read each time. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<string>;
  readonly timeoutMs: number;
}

/** The answer as JSON. `name`: whom it is from, for people; nothing of what it says goes into a reason. */
export function jsonAnswer(
  { status, body }: HttpResponse,
  name: string,
  hint: string,
): Readonly<Record<string, unknown>> {
  if (status === 429 || status >= 500) throw new Failed('unreachable', `${name} answers ${status}`);
  if (status !== 200) throw new Failed('sign-in', `${name} answers ${status}: ${hint}`);
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Told below.
  }
  throw new Failed('strange', `${name} gives no JSON`);
}

const maxLength = 32_768;
const leastMs = 60_000;
const mostMs = 24 * 3_600_000;

/** A member that becomes part of a header. */
export function wordIn(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length <= maxLength && /^[\x21-\x7e]+$/.test(value)) return value;
  throw new Failed('strange', `${name} gives no credentials`);
}

/** How long something lives of which its end is said, in milliseconds of the time of day; not a number: for a while. */
export function lifeUntil(endMs: number, nowMs: number, otherwiseMs: number): number {
  const lifeMs = endMs - nowMs;
  return Number.isFinite(lifeMs) ? Math.min(mostMs, Math.max(leastMs, lifeMs)) : otherwiseMs;
}

/** What the environment has to say. */
export function needed(
  { environment }: Pick<CloudDeps, 'environment'>,
  names: readonly string[],
  what: string,
): string {
  for (const name of names) {
    const value = environment[name];
    if (value !== undefined && value !== '') return value;
  }
  throw new Failed('sign-in', `${what}: ${names.join(' or ')} is not set in the agent's environment`);
}

/** The text of a file that the platform puts there, and renews. */
export async function fileText(
  { readFile }: Pick<CloudDeps, 'readFile'>,
  path: string,
  variable: string,
): Promise<string> {
  try {
    return (await readFile(path)).trim();
  } catch {
    throw new Failed('sign-in', `the file that ${variable} names cannot be read`);
  }
}
