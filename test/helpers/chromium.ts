import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Debian's, or another one that a machine has. Undefined: there is none, and what needs one is left out. */
export const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

/** For the name of a suite: why it is left out. */
export const chromiumNote =
  chromiumPath === undefined ? ' (left out: this machine has no Chromium; apt-get install chromium)' : '';

export const openChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath ?? '',
    // In a container its own walls cannot be put up; it sees pages of the tests only.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
