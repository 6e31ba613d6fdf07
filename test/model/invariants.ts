/** What holds in every history, and why. */
export const invariants = {
  'whole percent': 'primary and canary share 100 percent: a weight is a whole number from 0 to 100',
  'pods that answer': 'no tick moves users to pods that do not answer while others do',
  'dead canary left': 'users do not stay on a canary that does not answer when the primary can take them',
  'pods with users': 'a canary does not go to zero while it carries users',
  'last pods': 'the only pods that answer are not taken away',
  'step by step': 'the share grows by one step of the strategy at a time',
  'judged first': 'the primary only gets the version that the release under way is about, after good checks',
  'copies judged': 'the primary’s copies of configs hold what was judged',
  'known transition': 'phases follow Flagger’s table and our documented additions',
  'one outcome': 'a release has one outcome, it is recorded before the status says so, and none gets lost',
  'no retry by itself': 'a version that was rolled back is not tried again unless somebody changes something',
  'failed checks end it': 'there are never more failed checks than the threshold',
  'failures alert': 'a release that fails is told by an alert before its outcome is recorded',
  'rollback is not blocked': 'when the checks are over, nothing but the cluster itself delays the way home',
  'status tells the truth': 'the weight of the status is the weight of the routes',
  'users judged': 'nobody stays with a version that no release judges when the primary can take them',
  'weight judged': 'the canary keeps no more users than it was given, whatever somebody makes of the routes',
  'once an interval': 'failed checks that count are an interval apart, whatever wakes the agent',
  'true events': 'no event tells what did not happen',
  'fresh start': 'a release begins without failed checks and at its first step',
  'same cookie': 'the cookie of a release does not change while its canary has users',
  'asks once': 'a tick does not ask the same again, and asks nothing unknown',
  'awake with users': 'an autoscaler does not keep pods at zero that have users, and the primary’s never does',
  'zero stays zero': 'no autoscaler brings back pods that were taken away at the end of a release',
  'primary scaled': 'the primary has an autoscaler of its own, by the bounds of the target’s or the Canary’s',
  'size is kept': 'what is promoted does not change the number of pods that an autoscaler has given the primary',
  'large enough': 'a canary begins with the least that its autoscaler allows',
  'no step unscaled': 'users come to a canary only while the autoscaler that it names is there',
  held: 'a person who holds a release keeps it where it is, for as long as the primary answers',
  aborted: 'a person who wants a release back gets it back at once',
  'it ends': 'when the world is calm a release ends, and everybody is served',
  'right end': 'when all is well, the primary runs what Git asks for and nobody is on the canary',
  'silence at rest': 'at rest nothing is written and nothing is told',
  'handed back': 'a Canary that goes with revertOnDeletion leaves users on a target that answers',
} as const;

export type Invariant = keyof typeof invariants;

/** A history in which one of them does not hold. */
export class Broken extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

export function hold(invariant: Invariant, condition: boolean, detail: () => string): void {
  if (!condition) throw new Broken(invariant, detail());
}
