import type { ScalarTag } from 'yaml';

/**
 * Plain scalars that kubectl reads otherwise than YAML 1.2: it knows YAML 1.1's booleans, and `defaultMode: 0644` is octal there. People's
 * files are written for kubectl, and a mode that is read as decimal would be applied without a word.
 */
const legacyBoolean: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  test: /^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/,
  resolve: (text) => /^(?:y|on)/i.test(text),
};

const legacyOctal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^[-+]?0[0-7]+$/,
  resolve: (text) => Number.parseInt(text, 8),
};

export const kubernetesScalars: readonly ScalarTag[] = [legacyBoolean, legacyOctal];
