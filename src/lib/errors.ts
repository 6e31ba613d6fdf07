/**
 * The catalogue of failures that the agent expects and explains. A test holds it against the README.
 * `retry: 'backoff'` means that the same call may succeed later, `'never'` that a person has to change something.
 */
export const errorCatalogue = {
  CONFIG_INVALID: { retry: 'never', what: 'a setting of the agent itself is wrong' },
  MANIFEST_INVALID: { retry: 'never', what: 'a file in Git cannot be read as Kubernetes objects' },
  CANARY_INVALID: {
    retry: 'never',
    what: 'a Canary, MetricTemplate or AlertProvider says something that cannot be done',
  },
  GIT_UNREACHABLE: { retry: 'backoff', what: 'the Git server does not answer' },
  GIT_AUTH: { retry: 'never', what: 'the Git server refuses the credentials' },
  GIT_NOT_FOUND: { retry: 'never', what: 'the repository or the branch does not exist' },
  GIT_PROTOCOL: { retry: 'backoff', what: 'the Git server answered something that cannot be understood' },
  GIT_PUSH_REFUSED: { retry: 'never', what: 'the Git server refuses the push (hook, protected branch, no permission)' },
  GIT_TOO_LARGE: { retry: 'never', what: 'the repository is larger than the configured limits' },
  REVERT_CONFLICT: { retry: 'never', what: 'a revert cannot be made without touching what others changed' },
  CLUSTER_UNREACHABLE: { retry: 'backoff', what: 'the Kubernetes API does not answer' },
  CLUSTER_REFUSED: {
    retry: 'backoff',
    what: 'the Kubernetes API refuses the request (forbidden, invalid, unknown kind)',
  },
  CLUSTER_CONFLICT: { retry: 'backoff', what: 'the object changed meanwhile' },
  METRICS_UNREACHABLE: { retry: 'backoff', what: 'the metrics provider does not answer' },
  METRICS_QUERY: { retry: 'backoff', what: 'the metrics provider refuses the query' },
  WEBHOOK_FAILED: { retry: 'backoff', what: 'a webhook refused or did not answer' },
} as const satisfies Record<string, { retry: 'backoff' | 'never'; what: string }>;

export type ErrorCode = keyof typeof errorCatalogue;

/**
 * An expected failure at the edge. The message names the thing, the place and the next step and holds no secret;
 * what a vendor said stays in `cause` and is never logged whole.
 */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get retry(): 'backoff' | 'never' {
    return errorCatalogue[this.code].retry;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Marks a branch that the types say cannot be reached. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
