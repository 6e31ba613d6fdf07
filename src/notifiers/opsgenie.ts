import { jsonHeaders, type HttpNotifier, subjectOf } from './notifier.ts';
import { withPath } from './with-path.ts';

/** Of an alert's title. */
const longestMessage = 130;
const priorities = { info: 'P5', warn: 'P3', error: 'P2' } as const;

/** Opsgenie's Alert API; alerts of one Canary are one until somebody closes it. The token is the integration's key. */
export const opsgenie: HttpNotifier = {
  name: 'opsgenie',
  about: {
    title: 'Opsgenie',
    url: 'https://docs.opsgenie.com/docs/alert-api',
    notes: 'address https://api.opsgenie.com; token is the integration key',
  },
  needsToken: true,
  request(alert, { address, token }) {
    const { severity, message, fields } = alert;
    const body = {
      message: `${subjectOf(alert)}: ${message}`.slice(0, longestMessage),
      alias: `serin/${subjectOf(alert)}`,
      description: message,
      details: Object.fromEntries(fields.map((field) => [field.name, field.value])),
      entity: subjectOf(alert),
      source: 'serin',
      priority: priorities[severity],
    };
    const headers = {
      ...jsonHeaders(undefined),
      ...(token === undefined ? {} : { authorization: `GenieKey ${token}` }),
    };
    return { url: withPath(address, '/v2/alerts'), headers, body: JSON.stringify(body) };
  },
};
