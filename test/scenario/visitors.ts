import { type IncomingHttpHeaders, request } from 'node:http';
import type { Stage } from './stage.ts';

/** What one person sees who asks once. */
export interface Visit {
  readonly status: number;
  /** Of the app that answered. */
  readonly version: string;
  readonly setCookies: readonly string[];
  readonly headers: IncomingHttpHeaders;
}

export function visit(
  { sandbox }: Stage,
  host: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const asking = request(sandbox.gatewayUrl, { headers: { ...headers, host } }, (answer) => {
      answer.resume();
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          version: String(answer.headers['x-version'] ?? ''),
          setCookies: answer.headers['set-cookie'] ?? [],
          headers: answer.headers,
        }),
      );
    });
    asking.on('error', reject);
    asking.end();
  });
}

/** The versions that so many visits of one person meet. */
export async function versionsSeen(
  stage: Stage,
  host: string,
  times: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const visits = await Promise.all(Array.from({ length: times }, () => visit(stage, host, headers)));
  return [...new Set(visits.map(({ version }) => version))].toSorted();
}
