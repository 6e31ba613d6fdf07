const pullReasons: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);

/** Whether a waiting container waits for its image. */
export const waitsForImage = (reason: string): boolean => pullReasons.has(reason);

/** First match wins: a registry that wants credentials also says that the image may not exist. */
const failures: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/toomanyrequests|too many requests|\b429\b|rate limit/i, 'the registry limits the rate'],
  [/no match for platform|no matching manifest for/i, 'not made for this platform'],
  [/no space left on device/i, 'the node has no space left'],
  [/x509|certificate|tls: |server gave HTTP response to HTTPS client/i, 'the registry is not trusted'],
  [
    /no such host|connection refused|no route to host|network is unreachable|i\/o timeout|dial tcp|deadline exceeded|\b50[234]\b/i,
    'the registry does not answer',
  ],
  [/does not exist or may require authorization/i, 'access denied, or there is none'],
  [
    /unauthorized|authentication required|authorization failed|denied|forbidden|no basic auth|\b40[13]\b/i,
    'access denied',
  ],
  [/not found|notfound|manifest unknown|name unknown|\b404\b/i, 'not found'],
];

/** `image cannot be pulled (not found)`; `message` is what the kubelet says, of any runtime. */
export function imageSummary(reason: string, message: string): string {
  if (reason === 'InvalidImageName') return 'image name is not valid';
  if (reason === 'ErrImageNeverPull') return 'image is not on the node, and imagePullPolicy is Never';
  if (reason === 'SignatureValidationFailed') return 'image signature is not valid';
  // The name of the image is the user's own and may say anything.
  const said = message.slice(0, 2_000).replaceAll(/"[^"]{0,500}"/g, '');
  const found = failures.find(([pattern]) => pattern.test(said));
  return found ? `image cannot be pulled (${found[1]})` : 'image cannot be pulled';
}
