import { jsonHeaders, type HttpNotifier, subjectOf } from './notifier.ts';
import { withPath } from './with-path.ts';

/** Of an event's summary. */
const longestSummary = 1_024;

/**
 * PagerDuty's Events API v2. Errors and warnings are incidents, one for each Canary at a time; what is only told is an event of change, which wakes
 * nobody. The token is the integration's key.
 */
export const pagerduty: HttpNotifier = {
  name: 'pagerduty',
  about: {
    title: 'PagerDuty',
    url: 'https://developer.pagerduty.com/docs/events-api-v2-overview',
    notes: 'address https://events.pagerduty.com; token is the integration key',
  },
  needsToken: true,
  request(alert, { address, token = '' }) {
    const { severity, message, fields } = alert;
    const source = subjectOf(alert);
    const details = {
      canary: source,
      message,
      ...Object.fromEntries(fields.map((field) => [field.name, field.value])),
    };
    const payload = { summary: `${source}: ${message}`.slice(0, longestSummary), source, custom_details: details };
    const isToldOnly = severity === 'info';
    const event = isToldOnly
      ? { routing_key: token, payload }
      : {
          routing_key: token,
          event_action: 'trigger',
          dedup_key: `serin/${subjectOf(alert)}`,
          payload: { ...payload, severity: severity === 'error' ? 'error' : 'warning' },
        };
    return {
      url: withPath(address, isToldOnly ? '/v2/change/enqueue' : '/v2/enqueue'),
      headers: jsonHeaders(undefined),
      body: JSON.stringify(event),
    };
  },
};
