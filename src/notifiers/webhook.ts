import { jsonHeaders, type Notifier } from './notifier.ts';

/** Any receiver of JSON, for what no notifier of its own exists: `{name, namespace, severity, message, fields: [{name, value}]}`. */
export const webhook: Notifier = {
  name: 'webhook',
  about: { title: 'Webhook', url: 'https://docs.flagger.app/usage/alerting', notes: 'JSON to any URL' },
  request({ name, namespace, severity, message, fields }, { address, token }) {
    const body = JSON.stringify({ name, namespace, severity, message, fields });
    return { url: address, headers: jsonHeaders(token), body };
  },
};
