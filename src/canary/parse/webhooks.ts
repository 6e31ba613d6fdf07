import type { FieldChecks } from './field-checks.ts';
import type { Json } from '../../lib/json.ts';
import type { WebhookSpec, WebhookType } from '../types.ts';

const webhookTypes: readonly WebhookType[] = [
  'confirm-rollout',
  'pre-rollout',
  'rollout',
  'confirm-traffic-increase',
  'confirm-promotion',
  'post-rollout',
  'event',
  'rollback',
];
const defaultTimeoutMs = 10_000;
/** Longer ones count as this, and more repeats as so many: no webhook may keep a socket and a question for days. */
export const longestTimeoutMs = 3_600_000;
export const mostRetries = 20;

export function parseWebhooks(value: unknown, field: string, check: FieldChecks): readonly WebhookSpec[] {
  return check.list(value, field).map((hook, index) => parseWebhook(hook, `${field}[${index}]`, check));
}

function parseWebhook(hook: Json, field: string, check: FieldChecks): WebhookSpec {
  const name = check.text(hook['name'], `${field}.name`);
  if (name === undefined) check.note(`${field}.name`, 'is required');
  const url = check.text(hook['url'], `${field}.url`) ?? '';
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    check.note(`${field}.url`, url === '' ? 'is required' : 'is no http or https URL');
  }
  return {
    name: name ?? '',
    type: check.oneOf(hook['type'], `${field}.type`, webhookTypes) ?? 'rollout',
    url,
    timeoutMs: timeoutOf(hook['timeout'], `${field}.timeout`, check),
    retries: Math.min(check.whole(hook['retries'], `${field}.retries`, 0) ?? 0, mostRetries),
    disableTls: check.flag(hook['disableTLS'], `${field}.disableTLS`),
    muteAlert: check.flag(hook['muteAlert'], `${field}.muteAlert`),
    metadata: check.texts(hook['metadata'], `${field}.metadata`),
  };
}

/** Flagger takes a text of fewer than two characters for none. */
function timeoutOf(value: unknown, field: string, check: FieldChecks): number {
  if (typeof value === 'string' && value.length < 2) return defaultTimeoutMs;
  return Math.min(check.durationMs(value, field) || defaultTimeoutMs, longestTimeoutMs);
}
