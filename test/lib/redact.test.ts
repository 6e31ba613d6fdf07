import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact } from '../../src/lib/redact.ts';

describe('redaction', () => {
  it.each([
    ['an assignment', 'starting with DB_PASSWORD=hunter2-xyz and PORT=80', 'hunter2-xyz', 'PORT=80'],
    ['JSON', '{"level":"error","apiKey":"zz9-plural","msg":"refused"}', 'zz9-plural', 'refused'],
    ['a quoted value with spaces', 'password: "correct horse battery" rejected', 'correct horse', 'rejected'],
    ['YAML', 'clientSecret: s3cr3t!', 's3cr3t!', 'clientSecret'],
    ['a URL', 'dial postgres://app:pa55@db:5432/app failed', 'pa55', 'db:5432/app failed'],
    ['a header', 'authorization: Bearer abcdef0123', 'abcdef0123', 'authorization'],
    ['basic credentials', 'sent Basic dXNlcjpwYXNz to the proxy', 'dXNlcjpwYXNz', 'to the proxy'],
    ['a flag', 'usage: app --token tok-123-abc --port 80', 'tok-123-abc', '--port 80'],
    ['a JWT', 'got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl expired', 'eyJhbGci', 'expired'],
    ['an AWS key', 'using AKIAIOSFODNN7EXAMPLE in eu', 'AKIAIOSFODNN7EXAMPLE', 'in eu'],
    ['a GitHub token', 'clone with ghp_0123456789abcdefABCDEF', 'ghp_0123456789', 'clone with'],
    ['hexadecimal digits', `key 0${'a1'.repeat(20)} refused`, 'a1a1a1', 'refused'],
    ['a random word', 'seed is qX7bT2kPzL9wR4mVn8Yc1DfG now', 'qX7bT2', 'now'],
  ])('takes out %s', (_, text, secret, stays) => {
    expect(redact(text)).not.toContain(secret);
    expect(redact(text)).toContain(stays);
  });

  it.each([
    'panic: runtime error: index out of range [3] with length 2',
    'Error: Cannot find module "/app/node_modules/express/lib/router/index.js"',
    'listen tcp :9898: bind: address already in use',
    'java.lang.IllegalStateException: Failed to load ApplicationContext',
    '2026-03-01T10:00:00.000Z ERROR o.s.b.d.LoggingFailureAnalysisReporter',
    'could not connect to server: Connection refused (10.72.0.12:5432)',
    'missing environment variable DATABASE_HOST',
  ])('leaves "%s"', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('takes out a key of several lines, also one whose beginning is cut off', () => {
    const body = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n';
    const key = `-----BEGIN PRIVATE KEY-----\n${body}abc=\n-----END PRIVATE KEY-----\nbye`;
    expect(redact(key).split('\n')).toEqual(['***', '***', '***', '***', 'bye']);
    expect(redact(`${body}bye`)).toBe('***\nbye');
  });

  it('takes out values of Secrets in every spelling that programs use', () => {
    const value = 'p"ä/ß &x';
    const spelled = [value, JSON.stringify(value), encodeURIComponent(value), Buffer.from(value).toString('base64')];
    for (const text of spelled) expect(redact(`got ${text} here`, [value])).not.toContain(text);
    expect(redact('line two of it: second-line', ['first-line\nsecond-line\n'])).toBe('line two of it: ***');
    expect(redact('pin 42 in 4242', ['42'])).toBe('pin *** in 4242');
    expect(redact('ab abc', ['ab', 'abc d'])).toBe('*** abc');
  });

  it('shows no value of a Secret, whatever stands around it', () => {
    const letter = fc.constantFrom(...Array.from('aZ09 "\\/=+-_:äß%*.$^('), '\u{1F4A9}', '\n');
    const value = fc.string({ minLength: 4, maxLength: 30, unit: letter }).filter((text) => text.trim().length >= 4);
    const around = fc.string({ maxLength: 40, unit: letter });
    fc.assert(
      fc.property(value, around, around, (secret, before, after) => {
        // What is redacted is written with stars.
        fc.pre(!'***'.includes(secret.trim()) && !/^[\s*]*$/.test(secret));
        expect(redact(`${before}${secret}${after}`, [secret])).not.toContain(secret.trim());
      }),
      { numRuns: 300 },
    );
  });

  it('takes time that grows no faster than the text', () => {
    const nasty = ['password', 'a-', '--token', '"', 'https://a', 'A1b2', 'eyJ', '='.repeat(8)];
    const begin = performance.now();
    for (const part of nasty) redact(part.repeat(Math.ceil(16_384 / part.length)), ['secret-value']);
    expect(performance.now() - begin).toBeLessThan(2_000);
  });
});
