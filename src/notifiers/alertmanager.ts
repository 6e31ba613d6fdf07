import { jsonHeaders, type HttpNotifier, subjectOf } from './notifier.ts';
import { withPath } from './with-path.ts';

/** Alertmanager: an alert for each message, which it resolves by itself where nothing repeats it (`resolve_timeout`). */
export const alertmanager: HttpNotifier = {
  name: 'alertmanager',
  about: {
    title: 'Alertmanager',
    url: 'https://prometheus.io/docs/alerting/latest/alerts_api/',
    notes: 'address without /api/v2/alerts',
  },
  request(alert, { address, token }) {
    const { namespace, name, severity, message, fields } = alert;
    const details = fields.map(({ name: title, value }) => [labelName(title), value] as const);
    const one = {
      labels: { alertname: 'SerinCanary', namespace, canary: name, severity: severities[severity] },
      annotations: { summary: subjectOf(alert), description: message, ...Object.fromEntries(details) },
    };
    return { url: withPath(address, '/api/v2/alerts'), headers: jsonHeaders(token), body: JSON.stringify([one]) };
  },
};

/** As rules of Prometheus are labelled. */
const severities = { info: 'info', warn: 'warning', error: 'critical' } as const;

/** Alertmanager takes letters, digits and underscores. */
function labelName(title: string): string {
  return title.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_');
}
