/**
 * What `status.iterations` of a weighted canary says, which has no iterations to count. Negative, so that they are never taken for
 * rounds that were passed, should the Canary become an A/B test or a blue/green release midway.
 */

/** It waits at weight 0 with its pre-rollout tests behind it. */
export const preparedMark = -1;

/** It has been told that the next traffic waits for approval; at weight 0 its pre-rollout tests are behind it too. */
export const haltedMark = -2;
