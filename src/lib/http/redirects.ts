export const maxRedirects = 5;

export const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

/**
 * Sends a request, and those that its answers lead to. `next` makes of a request and its answer the one that follows, or undefined where the
 * answer counts; it throws where that may not be followed. Throws `tooMany` behind five redirects.
 */
export async function followRedirects<Request, Answer>(
  first: Request,
  send: (request: Request) => Promise<Answer>,
  next: (request: Request, answer: Answer) => Request | undefined,
  tooMany: () => Error,
): Promise<Answer> {
  let request = first;
  for (let redirects = 0; ; redirects += 1) {
    const answer = await send(request);
    const following = next(request, answer);
    if (following === undefined) return answer;
    if (redirects >= maxRedirects) throw tooMany();
    request = following;
  }
}
