import { createHash } from 'node:crypto';
import { AgentError } from '../../lib/errors.ts';
import { Failed } from '../failure.ts';
import { createRenewed } from '../renewed.ts';
import { type Session, sessionFor } from './aws.ts';
import type { CloudDeps } from './cloud.ts';
import { ownToken, tokenOfKey } from './google.ts';

/** Who the agent is to clouds, beside their registries: for metrics. What was fetched is kept until shortly before its end. */
export interface Identity {
  /** `endpoint`: what the operator names in the place of the service's own (AWS_ENDPOINT_URL_CLOUDWATCH). */
  aws(region: string, signal: AbortSignal): Promise<Session & { readonly endpoint?: string }>;
  /** An access token of the service account whose key (JSON) is given, else of the agent's own. */
  google(scope: string, key: string | undefined, signal: AbortSignal): Promise<string>;
}

/** Rejects with AgentError CANARY_INVALID where nobody lets the agent in, and with Failed where that may pass. */
export function createIdentity(deps: CloudDeps): Identity {
  const sessions = createRenewed<Session>(deps.clock);
  const tokens = createRenewed<string>(deps.clock);
  return {
    async aws(region, signal) {
      const home = deps.environment['AWS_REGION'] ?? region;
      const session = await told(sessions.get(home, (asking) => sessionFor(deps, home, asking), signal));
      const endpoint = deps.environment['AWS_ENDPOINT_URL_CLOUDWATCH'] ?? '';
      return endpoint === '' ? session : { ...session, endpoint };
    },
    google(scope, key, signal) {
      if (key === undefined) return told(tokens.get(scope, (asking) => ownToken(deps, scope, asking), signal));
      // The key itself is not kept.
      const place = `${scope} ${createHash('sha256').update(key).digest('hex')}`;
      const of = { what: 'the key serviceAccountKey of the secret', scope };
      return told(tokens.get(place, (asking) => tokenOfKey(deps, key, of, asking), signal));
    },
  };
}

async function told<Value>(asked: Promise<Value>): Promise<Value> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Failed && error.kind === 'sign-in') throw new AgentError('CANARY_INVALID', error.message);
    throw error;
  }
}
