import type { Json } from './json.ts';

export interface Cause {
  readonly reason?: string;
  readonly message: string;
  readonly field?: string;
}

/** What a failing request is about, for the `details` of its Status. */
export interface Subject {
  readonly group: string;
  readonly kind: string;
  readonly name?: string;
}

/** A refusal that is answered as a Kubernetes Status object. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: number;
  readonly reason: string;
  readonly details: Json;

  constructor(code: number, reason: string, message: string, details: Json = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  get status(): Json {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(Object.keys(this.details).length > 0 ? { details: this.details } : {}),
      code: this.code,
    };
  }
}

const detailsOf = (subject: Subject): Json => ({
  ...(subject.name ? { name: subject.name } : {}),
  ...(subject.group === '' ? {} : { group: subject.group }),
  kind: subject.kind,
});

const qualified = (subject: Subject): string =>
  subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`;

export const notFound = (subject: Subject): Failure =>
  new Failure(404, 'NotFound', `${qualified(subject)} "${subject.name ?? ''}" not found`, detailsOf(subject));

export const noSuchPage = (): Failure =>
  new Failure(404, 'NotFound', 'the server could not find the requested resource');

export const alreadyExists = (subject: Subject): Failure =>
  new Failure(409, 'AlreadyExists', `${qualified(subject)} "${subject.name ?? ''}" already exists`, detailsOf(subject));

export const conflict = (subject: Subject, why: string): Failure =>
  new Failure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(subject)} "${subject.name ?? ''}": ${why}`,
    detailsOf(subject),
  );

export const modified = (subject: Subject): Failure =>
  conflict(subject, 'the object has been modified; please apply your changes to the latest version and try again');

export const badRequest = (message: string): Failure => new Failure(400, 'BadRequest', message);

export const forbidden = (subject: Subject, why: string, causes: readonly Cause[] = []): Failure =>
  new Failure(403, 'Forbidden', `${qualified(subject)} "${subject.name ?? ''}" is forbidden: ${why}`, {
    ...detailsOf(subject),
    ...(causes.length > 0 ? { causes } : {}),
  });

export const expired = (message: string): Failure => new Failure(410, 'Expired', message);

export const methodNotAllowed = (): Failure =>
  new Failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');

export const unsupportedMedia = (message: string): Failure => new Failure(415, 'UnsupportedMediaType', message);

/** `kind` here is the Kind, as validation messages name it: `Deployment.apps "x" is invalid: …`. */
export function invalid(subject: Subject, causes: readonly Cause[]): Failure {
  const texts = causes.map((cause) => (cause.field ? `${cause.field}: ${cause.message}` : cause.message));
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new Failure(422, 'Invalid', `${qualified(subject)} "${subject.name ?? ''}" is invalid: ${list ?? ''}`, {
    ...detailsOf(subject),
    causes: causes.map((cause) => ({ reason: 'FieldValueInvalid', ...cause })),
  });
}
