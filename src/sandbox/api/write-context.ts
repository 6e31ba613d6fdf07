export interface WriteContext {
  readonly manager: string;
  readonly operation?: 'Update' | 'Apply';
  readonly subresource?: 'status' | 'scale';
  readonly dryRun?: boolean;
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
  /** Collects what the client is told in Warning headers. */
  readonly warnings?: string[];
}
