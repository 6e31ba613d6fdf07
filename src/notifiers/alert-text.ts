import { AgentError } from '../lib/errors.ts';
import { checkTemplate, renderTemplate } from '../lib/template.ts';
import type { Alert } from './notifier.ts';

/** What a template of an AlertProvider may use, as `{{ name }}`. */
export interface AlertValues {
  /** Of the Canary. */
  readonly name: string;
  readonly namespace: string;
  readonly target: string;
  /** Empty: it has no name. */
  readonly cluster: string;
  readonly severity: Alert['severity'];
  /** The text as it is told without a template. */
  readonly message: string;
  /** Page of the commit; empty: it is not known. */
  readonly commit: string;
  /** Page of the app; empty: there is no dashboard. */
  readonly dashboard: string;
}

const names: readonly (keyof AlertValues)[] = [
  'name',
  'namespace',
  'target',
  'cluster',
  'severity',
  'message',
  'commit',
  'dashboard',
];
/** Longer ones are read by nobody, and taken by no channel. */
const maxLength = 3_000;

/** Throws AgentError CANARY_INVALID, which names the line. */
export function checkAlertTemplate(template: string): void {
  checkTemplate(template, names);
}

/** The text of an alert; where its template fails, the plain one: an alert is not lost for its words. */
export function alertText(template: string | undefined, values: AlertValues): string {
  if (template === undefined) return values.message;
  try {
    return (
      renderTemplate(template, { ...values })
        .trim()
        .slice(0, maxLength) || values.message
    );
  } catch (error) {
    if (error instanceof AgentError) return values.message;
    throw error;
  }
}
