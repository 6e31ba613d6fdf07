import { alertmanager } from './alertmanager.ts';
import { discord } from './discord.ts';
import { gchat } from './gchat.ts';
import { msteams } from './msteams.ts';
import type { Notifier } from './notifier.ts';
import { opsgenie } from './opsgenie.ts';
import { pagerduty } from './pagerduty.ts';
import { rocket } from './rocket.ts';
import { slack } from './slack.ts';
import { smtp } from './smtp.ts';
import { webhook } from './webhook.ts';

/** All notifiers by the name that AlertProviders use. */
export const notifiers = {
  slack,
  msteams,
  discord,
  rocket,
  gchat,
  webhook,
  alertmanager,
  opsgenie,
  pagerduty,
  smtp,
} as const satisfies Readonly<Record<string, Notifier>>;

export type NotifierName = keyof typeof notifiers;

export function isNotifier(name: string): name is NotifierName {
  return Object.hasOwn(notifiers, name);
}
