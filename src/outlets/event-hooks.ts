import { callWebhook, webhookPayload } from '../analysis/webhook.ts';
import { parseStatus } from '../canary/status.ts';
import type { CanaryEvent, Phase, WebhookSpec } from '../canary/types.ts';
import type { Outbox } from '../lib/outbox.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Subject } from './happening.ts';
import type { OutletDeps } from './outlet.ts';

/** Tells event webhooks of an event. Never waits: a receiver that is dead or slow delays no rollout (Flagger's R65). */
export type TellHooks = (canary: KubeObject, spec: Subject, event: CanaryEvent) => void;

export function createEventHooks(
  { clock, http, log, settings }: Omit<OutletDeps, 'cluster' | 'telemetry'>,
  outbox: Outbox,
): TellHooks {
  const everywhere: readonly WebhookSpec[] =
    settings.eventWebhook === undefined ? [] : [eventHook(settings.eventWebhook)];
  return (canary, spec, event) => {
    const own = spec.analysis?.webhooks.filter(({ type }) => type === 'event') ?? [];
    const status = parseStatus(canary);
    const phase: Phase = event.phase ?? (status.phase || 'Initializing');
    for (const hook of own.length > 0 ? own : everywhere) {
      const payload = webhookPayload(spec, phase, status, {
        ...hook.metadata,
        eventMessage: event.message,
        eventType: event.type,
        timestamp: String(clock.now()),
      });
      outbox.put(`event ${hook.url}`, async (sequence, signal) => {
        const headers = { 'idempotency-key': `${canary.metadata.uid ?? ''}-${sequence}`, 'x-sequence': `${sequence}` };
        const answer = await callWebhook(hook, payload, { http, clock, headers }, signal);
        if (answer.kind === 'passed') return;
        log.error({ canary: `${spec.name}.${spec.namespace}` }, `error sending event to webhook: ${answer.reason}`);
      });
    }
  };
}

/** Flagger's `-event-webhook`: 10 s, no further tries. */
function eventHook(url: string): WebhookSpec {
  const silent = { disableTls: false, muteAlert: true, metadata: {} };
  return { name: 'event', type: 'event', url, timeoutMs: 10_000, retries: 0, ...silent };
}
