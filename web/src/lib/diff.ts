export interface DiffLine {
  kind: 'same' | 'old' | 'new'
  text: string
}

/** Lines that are compared one by one. Larger texts are shown as old, then new: the table would be too big. */
const CELLS_MAX = 4_000_000

/** What has to be taken out of `before` and put in to get `after`, line by line. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before.split('\n')
  const b = after.split('\n')
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const left = a.slice(head, a.length - tail)
  const right = b.slice(head, b.length - tail)
  const same = (text: string): DiffLine => ({ kind: 'same', text })
  return [...a.slice(0, head).map(same), ...middle(left, right), ...a.slice(a.length - tail).map(same)]
}

function middle(a: string[], b: string[]): DiffLine[] {
  const old = (text: string): DiffLine => ({ kind: 'old', text })
  const fresh = (text: string): DiffLine => ({ kind: 'new', text })
  if (a.length * b.length > CELLS_MAX) return [...a.map(old), ...b.map(fresh)]
  const width = b.length + 1
  // The longest common run of lines from each place on.
  const longest = new Uint32Array((a.length + 1) * width)
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const lines: DiffLine[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: 'same', text: a[i] ?? '' })
      i++
      j++
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) lines.push(old(a[i++] ?? ''))
    else lines.push(fresh(b[j++] ?? ''))
  }
  return lines
}

/** The same with long unchanged stretches folded: null stands for lines that are left out. */
export function folded(lines: DiffLine[], context = 3): Array<DiffLine | null> {
  const near = lines.map((_, n) => lines.slice(Math.max(0, n - context), n + context + 1).some((l) => l.kind !== 'same'))
  const shown: Array<DiffLine | null> = []
  lines.forEach((line, n) => {
    if (near[n]) shown.push(line)
    else if (shown.at(-1) !== null) shown.push(null)
  })
  return shown
}
