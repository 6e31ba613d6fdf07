/** What `serin providers` and the README tell of a provider. */
export interface About {
  /** What people call it, e.g. `Microsoft Teams`. */
  readonly title: string;
  /** Its own documentation. */
  readonly url: string;
  /** What it needs or cannot do, in few words. Absent: nothing that is not in the table. */
  readonly notes?: string;
}
