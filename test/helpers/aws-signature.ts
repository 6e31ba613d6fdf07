import { createHash, createHmac } from 'node:crypto';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Checks a signature of AWS, version 4, as its documentation says, and without the code that made it. */
export function signatureProblem(
  { method, path, headers, body }: Call,
  keys: { readonly id: string; readonly secret: string; readonly token?: string },
  { service, region, nowMs }: { readonly service: string; readonly region: string; readonly nowMs: number },
): string | undefined {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers['authorization'] ?? '',
    );
  if (!match) return 'no signature';
  const [, id = '', day = '', signedRegion = '', signedService = '', names = '', signature = ''] = match;
  if (id !== keys.id || signedRegion !== region || signedService !== service) return 'another scope';
  const date = headers['x-amz-date'] ?? '';
  const sentMs = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!date.startsWith(day) || !(Math.abs(sentMs - nowMs) < 5 * 60_000)) return 'another time';
  const signed = names.split(';');
  for (const name of ['host', 'x-amz-date', 'x-amz-target', ...(keys.token ? ['x-amz-security-token'] : [])])
    if (headers[name] !== undefined && !signed.includes(name)) return `${name} is not signed`;
  if (headers['x-amz-security-token'] !== keys.token) return 'another session';
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const canonical = [
    method,
    path,
    '',
    ...signed.map((name) => `${name}:${(headers[name] ?? '').trim().replaceAll(/ +/g, ' ')}`),
    '',
    names,
    hash(body),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const key = [region, service, 'aws4_request'].reduce(hmac, hmac(`AWS4${keys.secret}`, day));
  const expected = hmac(key, ['AWS4-HMAC-SHA256', date, scope, hash(canonical)].join('\n')).toString('hex');
  return expected === signature ? undefined : 'another signature';
}
