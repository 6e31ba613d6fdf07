/** What came of an act, for whoever did it. */
export interface Flash {
  readonly kind: 'done' | 'waiting' | 'refused';
  readonly text: string;
}

/** What a person is told; its message is for people and holds no secret. */
export class UiError extends Error {
  override readonly name = 'UiError';
  readonly status: 400 | 403 | 404 | 409 | 503;

  constructor(status: UiError['status'], message: string) {
    super(message);
    this.status = status;
  }
}
