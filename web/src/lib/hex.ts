/** One row of a hex view: sixteen bytes at most. */
export interface HexRow {
  offset: string
  bytes: string[]
  /** The same bytes as characters; a dot for what is none. */
  text: string
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
}

/** The first `rowsMax` rows of sixteen bytes. */
export function hexRows(bytes: Uint8Array, rowsMax: number): HexRow[] {
  const rows: HexRow[] = []
  for (let at = 0; at < bytes.length && rows.length < rowsMax; at += 16) {
    const part = [...bytes.subarray(at, at + 16)]
    rows.push({
      offset: at.toString(16).padStart(6, '0'),
      bytes: part.map((b) => b.toString(16).padStart(2, '0')),
      text: part.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join(''),
    })
  }
  return rows
}

/** The text around a byte: before it, the character at it, after it. Bytes are those of UTF-8. */
export function around(text: string, byte: number): { before: string; at: string; after: string } {
  let seen = 0
  let index = 0
  for (const character of text) {
    if (seen >= byte) break
    seen += new TextEncoder().encode(character).length
    index += character.length
  }
  const at = [...text.slice(index)][0] ?? ''
  return { before: text.slice(0, index), at, after: text.slice(index + at.length) }
}
