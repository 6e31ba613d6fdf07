/** What a part of a page needs of the page. */
export interface Shown {
  readonly href: (path: string) => string;
  readonly nowMs: number;
}
