export interface SettingChange {
  /** Below `spec` of the Canary, as `analysis.threshold`. */
  readonly field: string;
  /** As YAML reads it: a number, a text, true, a list. Empty: it goes. */
  readonly value: string;
}
