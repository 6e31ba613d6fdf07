import { AgentError, type ErrorCode, messageOf } from '../lib/errors.ts';
import { withoutSecrets } from '../lib/redact.ts';
import { credentialTexts, type GitAuth } from './credentials.ts';
import type { GitRepo, PushResult } from './repo.ts';

/**
 * The repository, and nothing that it says holds what the agent signs in with: servers, proxies and hooks tell people what they were sent,
 * and so do the messages about it. The credentials are read when something is told, as they may have changed.
 */
export function hushed<Repo extends GitRepo>(repo: Repo, auth: GitAuth | undefined): Repo {
  if (auth === undefined) return repo;
  return new Proxy(repo, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: readonly unknown[]): unknown => {
        const result: unknown = Reflect.apply(member, target, args);
        return result instanceof Promise ? quietly(result, auth) : result;
      };
    },
  });
}

async function quietly<T>(work: Promise<T>, auth: GitAuth | undefined): Promise<T> {
  try {
    const result = await work;
    if (!isPushResult(result) || result.kind === 'landed') return result;
    return { ...result, reason: withoutSecrets(result.reason, await credentialTexts(auth)) };
  } catch (error) {
    const said = messageOf(error);
    const quiet = withoutSecrets(said, await credentialTexts(auth));
    if (quiet === said) throw error;
    // The cause has the same text.
    if (error instanceof AgentError) throw withMessage(error.code, quiet, error.details);
    throw new Error(quiet);
  }
}

function withMessage(code: ErrorCode, message: string, details: AgentError['details']): AgentError {
  return new AgentError(code, message, { details });
}

function isPushResult(value: unknown): value is PushResult {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  return value.kind === 'landed' || ('reason' in value && typeof value.reason === 'string');
}
