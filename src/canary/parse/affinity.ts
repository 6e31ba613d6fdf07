import type { FieldChecks } from './field-checks.ts';
import type { SessionAffinitySpec } from '../types.ts';

const defaultMaxAgeSeconds = 86_400;
/** What a cookie may be called (RFC 6265). */
const cookieToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Would end an attribute of Set-Cookie, or the header. */
const breaking = /[;\p{Cc}]/u;

/** Undefined where the Canary asks for none. */
export function parseSessionAffinity(
  value: unknown,
  field: string,
  check: FieldChecks,
): SessionAffinitySpec | undefined {
  if (value === undefined || value === null) return undefined;
  const raw = check.record(value, field);
  const nameOf = (name: string): string | undefined => {
    const cookie = check.text(raw[name], `${field}.${name}`);
    if (cookie === undefined || cookieToken.test(cookie)) return cookie;
    check.note(`${field}.${name}`, `"${cookie}" is no name for a cookie`, 'use letters, digits, - and _');
    return undefined;
  };
  const attributeOf = (name: string): string | undefined => {
    const text = check.text(raw[name], `${field}.${name}`);
    if (text === undefined || !breaking.test(text)) return text;
    check.note(`${field}.${name}`, 'must not contain a semicolon or control characters');
    return undefined;
  };
  const cookieName = nameOf('cookieName');
  const primaryCookieName = nameOf('primaryCookieName');
  if (raw['cookieName'] === undefined || raw['cookieName'] === '') check.note(`${field}.cookieName`, 'is required');
  if (cookieName !== undefined && cookieName === primaryCookieName) {
    // Flagger's words.
    const message =
      "can't use the same cookie name for both primary and cookie name; please update them to be different";
    check.note(`${field}.primaryCookieName`, message);
  }
  const domain = attributeOf('domain');
  const path = attributeOf('path');
  const sameSite = check.oneOf(raw['sameSite'], `${field}.sameSite`, ['Strict', 'Lax', 'None'] as const);
  return {
    cookieName: cookieName ?? '',
    ...(primaryCookieName === undefined ? {} : { primaryCookieName }),
    maxAgeSeconds: check.whole(raw['maxAge'], `${field}.maxAge`, 0) || defaultMaxAgeSeconds,
    ...(domain === undefined ? {} : { domain }),
    ...(path === undefined ? {} : { path }),
    ...(sameSite === undefined ? {} : { sameSite }),
    httpOnly: check.flag(raw['httpOnly'], `${field}.httpOnly`),
    secure: check.flag(raw['secure'], `${field}.secure`),
    partitioned: check.flag(raw['partitioned'], `${field}.partitioned`),
  };
}
