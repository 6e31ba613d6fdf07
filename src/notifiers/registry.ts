import type { Notifier } from './notifier.ts';
import { slack } from './slack.ts';
import { webhook } from './webhook.ts';

/** All notifiers by the name that AlertProviders use. */
export const notifiers = { slack, webhook } as const satisfies Readonly<Record<string, Notifier>>;

export type NotifierName = keyof typeof notifiers;

export function isNotifier(name: string): name is NotifierName {
  return Object.hasOwn(notifiers, name);
}
