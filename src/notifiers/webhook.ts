import { createHmac } from 'node:crypto';
import { jsonHeaders, type HttpNotifier } from './notifier.ts';

/**
 * Any receiver of JSON, for what no notifier of its own exists: `{name, namespace, severity, message, fields: [{name, value}]}`. With a signing key the
 * header `X-Serin-Signature-256` is `sha256=` and the HMAC of the body, in hex.
 */
export const webhook: HttpNotifier = {
  name: 'webhook',
  about: {
    title: 'Webhook',
    url: 'https://docs.flagger.app/usage/alerting',
    notes: 'JSON to any URL; signed where the Secret has a signingKey',
  },
  request({ name, namespace, severity, message, fields }, { address, token, signingKey }) {
    const body = JSON.stringify({ name, namespace, severity, message, fields });
    if (signingKey === undefined) return { url: address, headers: jsonHeaders(token), body };
    const signature = `sha256=${createHmac('sha256', signingKey).update(body).digest('hex')}`;
    return { url: address, headers: { ...jsonHeaders(token), 'x-serin-signature-256': signature }, body };
  },
};
