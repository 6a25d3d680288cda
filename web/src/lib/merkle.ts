import { sha256 } from '@noble/hashes/sha2.js'
import { join } from './bytes'

/** RFC 6962: a leaf is SHA-256 of 0x00 and the entry. */
export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(join(Uint8Array.of(0), entry))
}

/** RFC 6962: a node is SHA-256 of 0x01, the left and the right child. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(join(Uint8Array.of(1), left, right))
}

/** One hash of an inclusion proof, and on which side of the running hash it stands. */
export interface Step {
  sibling: Uint8Array
  side: 'left' | 'right'
  result: Uint8Array
}

/**
 * Climbs from a leaf to the root of the tree of `size` leaves (RFC 9162, 2.1.3.2). Throws when the path has the wrong
 * length for that place, which would otherwise let a proof for one position pass for another.
 */
export function climb(position: number, size: number, leaf: Uint8Array, path: Uint8Array[]): { root: Uint8Array; steps: Step[] } {
  if (!Number.isSafeInteger(position) || !Number.isSafeInteger(size) || position < 0 || position >= size) {
    throw new Error(`position ${position} is not in a tree of ${size} leaves`)
  }
  let place = BigInt(position)
  let last = BigInt(size) - 1n
  let running = leaf
  const steps: Step[] = []
  for (const sibling of path) {
    if (sibling.length !== 32) throw new Error('a hash of the path is not 32 bytes long')
    if (last === 0n) throw new Error('the path is longer than the tree is high')
    const side = (place & 1n) === 1n || place === last ? 'left' : 'right'
    running = side === 'left' ? nodeHash(sibling, running) : nodeHash(running, sibling)
    steps.push({ sibling, side, result: running })
    if (side === 'left') {
      while ((place & 1n) === 0n && place !== 0n) {
        place >>= 1n
        last >>= 1n
      }
    }
    place >>= 1n
    last >>= 1n
  }
  if (last !== 0n) throw new Error('the path is shorter than the tree is high')
  return { root: running, steps }
}
