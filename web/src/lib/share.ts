// What of a written share counts: no blanks, one case, and o, i and l are the digits they look like.
function plain(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s*belfry /i.test(line))
    .join('')
    .toLowerCase()
    .replace(/[\s.,-]/g, '')
    .replace(/o/g, '0')
    .replace(/[il]/g, '1')
}

/** Whether what was typed is one of these shares. */
export function isShareOf(typed: string, shares: readonly string[]): boolean {
  const wanted = plain(typed)
  return wanted !== '' && shares.some((share) => plain(share) === wanted)
}
