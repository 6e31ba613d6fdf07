/** The catalogue of failures that the agent expects and explains. A test holds it against the code and the README. */
export const errorCatalogue = {
  CONFIG_INVALID: 'a setting of the agent itself is wrong',
  MANIFEST_INVALID: 'a file in Git cannot be read as Kubernetes objects',
  CANARY_INVALID: 'a Canary, MetricTemplate or AlertProvider says something that cannot be done',
  GIT_UNREACHABLE: 'the Git server does not answer',
  GIT_AUTH: 'the Git server refuses the credentials',
  GIT_NOT_FOUND: 'the repository or the branch does not exist',
  GIT_PROTOCOL: 'the Git server answered something that cannot be understood',
  GIT_STORE: 'the folder of the local mirror cannot be used: full, read-only, in the way',
  GIT_TOO_LARGE: 'the repository, or a file of it, is larger than is followed',
  CLUSTER_UNREACHABLE: 'the Kubernetes API does not answer',
  CLUSTER_REFUSED: 'the Kubernetes API refuses the request (forbidden, invalid, unknown kind)',
  CLUSTER_CONFLICT: 'the object changed meanwhile',
  LEASE_LOST: 'another replica of the agent writes now',
} as const satisfies Readonly<Record<string, string>>;

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
}

/** What an error says of a field, for who shows name and place by himself. */
export interface Said {
  /** `spec` where it is about no single field. */
  readonly field: string;
  readonly message: string;
}

/** An error about a field of an object; `text` is the whole message. */
export function fieldError(code: ErrorCode, text: string, { field, message }: Said): AgentError {
  return new AgentError(code, text, { details: { field, said: message } });
}

/** The field that an error is about, and what it says of it; the whole message where it names none. */
export function saidOf({ message, details }: AgentError): Said {
  const { field, said } = details;
  return { field: typeof field === 'string' ? field : 'spec', message: typeof said === 'string' ? said : message };
}

/** Where something was thrown that nobody expected, for the log. */
export const stackOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Marks a branch that the types say cannot be reached. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
