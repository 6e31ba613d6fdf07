import type { ScalarTag } from 'yaml';

/*
 * Plain scalars as kubectl reads them: YAML 1.1's booleans, octal numbers (`defaultMode: 0644`), digits with underscores. Dates and
 * base 60 are text for it. People's files are written for kubectl, and a mode that is read as decimal would be applied without a word.
 */

const legacyBoolean: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  test: /^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/,
  resolve: (text) => /^(?:y|on)/i.test(text),
};

const int64 = { min: -(2n ** 63n), max: 2n ** 64n - 1n };

/** What is larger than 64 bits is a float, as far as it is decimal. `exact`: a BigInt where a number is not exact. */
const integer = (exact: boolean): ScalarTag => ({
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^(?:[-+]_*)?(?:0[xX][\da-fA-F_]*|0[oO][0-7_]*|0[bB][01_]*|0[0-7_]*|[1-9][\d_]*)$/,
  resolve(text) {
    const plain = text.replaceAll('_', '');
    const digits = plain.replace(/^[-+]/, '');
    const value = bigIntOf(digits);
    if (value === undefined) return text;
    const signed = plain.startsWith('-') ? -value : value;
    if (signed < int64.min || signed > int64.max) return /^\d+$/.test(digits) ? Number(plain) : text;
    return exact && !Number.isSafeInteger(Number(signed)) ? signed : Number(signed);
  },
});

function bigIntOf(digits: string): bigint | undefined {
  try {
    return BigInt(digits.replace(/^0(?=\d)/, '0o'));
  } catch {
    return undefined;
  }
}

const float: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  test: /^(?:[-+]_*[\d.]|[\d.])[\d_.eE+-]*$/,
  resolve(text) {
    const plain = text.startsWith('.') ? text : text.replaceAll('_', '');
    if (!/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(plain)) return text;
    const value = Number(plain);
    return Number.isFinite(value) ? value : text;
  },
};

export const kubernetesScalars = (exact: boolean): readonly ScalarTag[] => [legacyBoolean, integer(exact), float];
