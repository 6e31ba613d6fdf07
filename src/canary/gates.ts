import type { KubeObject } from '../manifest/types.ts';
import { analysisOf } from './analysis-state.ts';
import { requestAnnotations } from './requests.ts';
import type { CanarySpec, CanaryStatus, HookAnswer, WebhookType } from './types.ts';

/** What the agent keeps open or closed for a Canary: its approval gate and its rollback switch. */
export type GateName = 'gate' | 'rollback';

/** On the Canary, where everybody can see them and a restart forgets nothing. `open` is open; everything else, and none, is closed. */
export const gateAnnotations: Readonly<Record<GateName, string>> = {
  gate: 'serin.dev/gate',
  rollback: 'serin.dev/rollback',
};

export type GateState = Readonly<Record<GateName, 'open' | 'closed'>>;

export function gatesOf({ metadata }: KubeObject): GateState {
  const state = (name: GateName): 'open' | 'closed' =>
    metadata.annotations?.[gateAnnotations[name]] === 'open' ? 'open' : 'closed';
  return { gate: state('gate'), rollback: state('rollback') };
}

/** What a webhook's URL means where it leads to this agent. Undefined: it leads elsewhere. */
export function ownGate(url: string, host: string): GateName | 'approve' | 'halt' | undefined {
  if (!URL.canParse(url)) return undefined;
  const { hostname, pathname, protocol } = new URL(url);
  const isOwn = ['', '.svc', '.svc.cluster.local'].some((domain) => hostname === `${host}${domain}`);
  if (!isOwn || protocol !== 'http:') return undefined;
  switch (pathname) {
    case '/gate/check':
      return 'gate';
    case '/rollback/check':
      return 'rollback';
    case '/gate/approve':
      return 'approve';
    case '/gate/halt':
      return 'halt';
    default:
      return undefined;
  }
}

/** The agent's own answer to a webhook that asks it. Undefined: it asks somebody else. */
export function gateAnswer(url: string, host: string, canary: KubeObject): HookAnswer | undefined {
  const name = ownGate(url, host);
  if (name === undefined) return undefined;
  const isOpen = name === 'approve' || (name !== 'halt' && gatesOf(canary)[name] === 'open');
  return isOpen ? { kind: 'passed' } : { kind: 'rejected', reason: 'Forbidden' };
}

/** A gate of the agent itself has opened for a canary that waits for it: it goes on now, not at the next interval. */
export function opensGate(
  { analysis }: CanarySpec,
  status: CanaryStatus,
  host: string,
  { before, now }: { readonly before: GateState; readonly now: GateState },
): boolean {
  const asks = awaited(status, analysis.strategy.kind === 'canary');
  return analysis.webhooks.some(({ type, url }) => {
    if (!asks.includes(type)) return false;
    const name = ownGate(url, host);
    return (name === 'gate' || name === 'rollback') && before[name] === 'closed' && now[name] === 'open';
  });
}

/** What is approved on a Canary, as it stands there; empty: nothing is. */
export const approvalTextOf = ({ metadata }: KubeObject): string =>
  metadata.annotations?.[requestAnnotations.approve] ?? '';

/** A person has just approved what a canary may wait for: it goes on now, not at the next interval. Whether it is meant is seen then. */
export function opensByApproval(
  { analysis }: CanarySpec,
  status: CanaryStatus,
  { before, now }: { readonly before: string; readonly now: string },
): boolean {
  if (now === '' || now === before) return false;
  const asks = awaited(status, analysis.strategy.kind === 'canary');
  return analysis.webhooks.some(({ type }) => type !== 'rollback' && asks.includes(type));
}

/** Types of the hooks whose answer a canary waits for. Somebody who wants it back never waits. */
function awaited(status: CanaryStatus, isWeighted: boolean): readonly WebhookType[] {
  switch (status.phase) {
    case 'Waiting':
      return ['confirm-rollout', 'rollback'];
    case 'WaitingPromotion':
      return ['confirm-promotion', 'rollback'];
    case 'Progressing':
      return isWeighted && analysisOf(status).mark === 'halted'
        ? ['confirm-traffic-increase', 'rollback']
        : ['rollback'];
    default:
      return [];
  }
}
