import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { fromBase64, join, toBase64, toHex } from './bytes'
import { climb, leafHash, nodeHash } from './merkle'
import { openNote, parseVerifier, readCheckpoint } from './note'
import { checkProof, type ProofBundle } from './proof'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

// The eight leaves and the root that the tests of Certificate Transparency use.
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((hex) => Uint8Array.from(hex.match(/../g) ?? [], (p) => parseInt(p, 16)))
const ROOT_OF_8 = '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'

function root(leaves: Uint8Array[]): Uint8Array {
  const [only] = leaves
  if (leaves.length === 1 && only) return only
  const split = 2 ** Math.ceil(Math.log2(leaves.length) - 1)
  return nodeHash(root(leaves.slice(0, split)), root(leaves.slice(split)))
}

function path(position: number, leaves: Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return []
  const split = 2 ** Math.ceil(Math.log2(leaves.length) - 1)
  const left = leaves.slice(0, split)
  const right = leaves.slice(split)
  return position < split ? [...path(position, left), root(right)] : [...path(position - split, right), root(left)]
}

describe('inclusion', () => {
  const hashes = LEAVES.map(leafHash)

  it('hashes a leaf as RFC 6962 says', () => {
    expect(toHex(leafHash(new Uint8Array()))).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
  })

  it('reaches the known root from every leaf', () => {
    hashes.forEach((leaf, i) => expect(toHex(climb(i, 8, leaf, path(i, hashes)).root)).toBe(ROOT_OF_8))
  })

  it('holds for every position of trees of 1 to 33 leaves, and for no other position or size', () => {
    for (let size = 1; size <= 33; size++) {
      const leaves = Array.from({ length: size }, (_, i) => leafHash(bytes(`leaf ${i}`)))
      const top = toHex(root(leaves))
      leaves.forEach((leaf, i) => {
        const way = path(i, leaves)
        expect(toHex(climb(i, size, leaf, way).root)).toBe(top)
        if (size > 1) {
          const other = (i + 1) % size
          const reached = (): string => toHex(climb(other, size, leaf, way).root)
          try {
            expect(reached()).not.toBe(top)
          } catch (fault) {
            expect(String(fault)).toMatch(/path is (longer|shorter)/)
          }
        }
        expect(() => climb(i, size, leaf, [...way, leaf])).toThrow(/longer/)
        if (way.length > 0) expect(() => climb(i, size, leaf, way.slice(0, -1))).toThrow(/shorter/)
      })
    }
  })

  it('refuses places that are not in the tree', () => {
    const leaf = leafHash(bytes('x'))
    expect(() => climb(8, 8, leaf, [])).toThrow(/not in a tree/)
    expect(() => climb(-1, 8, leaf, [])).toThrow(/not in a tree/)
    expect(() => climb(0, 0, leaf, [])).toThrow(/not in a tree/)
  })
})

const ORIGIN = 'belfry.example.com/acme'
const secret = Uint8Array.from({ length: 32 }, (_, i) => i)
const key = join(Uint8Array.of(1), ed25519.getPublicKey(secret))
const id = sha256(join(bytes(`${ORIGIN}\n`), key)).slice(0, 4)
const VKEY = `${ORIGIN}+${toHex(id)}+${toBase64(key)}`

function note(size: number, rootHash: Uint8Array): string {
  const text = `${ORIGIN}\n${size}\n${toBase64(rootHash)}\n`
  return `${text}\n— ${ORIGIN} ${toBase64(join(id, ed25519.sign(bytes(text), secret)))}\n`
}

describe('signed notes', () => {
  it('reads the public key of Go\'s checksum database', () => {
    const known = parseVerifier('sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8')
    expect(known.name).toBe('sum.golang.org')
    expect(known.key).toHaveLength(32)
  })
  it.each(['', 'a+b', 'sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8', 'x+00000000+AA=='])('refuses the key %s', (text) => expect(() => parseVerifier(text)).toThrow())
  it('opens what was signed, also among other signatures', () => {
    const signed = note(3, sha256(bytes('root')))
    const more = `${signed}— witness.example ${toBase64(new Uint8Array(68))}\n`
    expect(openNote(more, parseVerifier(VKEY))).toMatchObject({ origin: ORIGIN, size: 3 })
  })
  it('refuses a changed text, a missing and a foreign signature', () => {
    const signed = note(3, sha256(bytes('root')))
    expect(() => openNote(signed.replace('\n3\n', '\n4\n'), parseVerifier(VKEY))).toThrow(/signature of the checkpoint is wrong/)
    expect(() => openNote(signed.split('\n\n')[0] ?? '', parseVerifier(VKEY))).toThrow(/no signatures/)
    expect(() => openNote(signed, parseVerifier('sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8'))).toThrow(/not signed by/)
  })
  it('refuses a checkpoint that is none', () => {
    expect(() => readCheckpoint('a\nb\nc\n')).toThrow()
    expect(() => readCheckpoint('a\n01\nAAAA\n')).toThrow()
  })
})

describe('the proof of an event', () => {
  const entries = Array.from({ length: 7 }, (_, i) => bytes(`{"event":{"action":"a.b"},"n":${i}}`))
  const leaves = entries.map(leafHash)
  const bundle = (i: number): ProofBundle => ({
    position: i,
    entry: toBase64(entries[i] ?? new Uint8Array()),
    leaf_hash: toBase64(leaves[i] ?? new Uint8Array()),
    tree_size: 7,
    path: path(i, leaves).map(toBase64),
    checkpoint: note(7, root(leaves)),
    vkey: VKEY,
  })
  const why = (b: ProofBundle, trusted = VKEY): string => {
    const verdict = checkProof(b, trusted)
    expect(verdict.ok).toBe(false)
    return verdict.checks.at(-1)?.detail ?? ''
  }

  it('holds for every event', () => entries.forEach((_, i) => expect(checkProof(bundle(i), VKEY)).toMatchObject({ ok: true })))
  it('holds for the hash of an event that was removed, and for no other', () => {
    expect(checkProof({ ...bundle(3), entry: '', removed: {} }, VKEY)).toMatchObject({ ok: true })
    expect(why({ ...bundle(3), entry: '', removed: {}, leaf_hash: bundle(4).leaf_hash })).toMatch(/another root/)
    expect(why({ ...bundle(3), entry: '' })).toMatch(/altered/)
  })
  it('fails for an altered event', () => expect(why({ ...bundle(2), entry: toBase64(bytes('{"event":{"action":"a.c"},"n":2}')) })).toMatch(/altered/))
  it('fails for an event at another place', () => expect(why({ ...bundle(2), position: 3 })).toMatch(/another root/))
  it('fails for a flipped bit of the path', () => {
    const wrong = bundle(4)
    const first = fromBase64(wrong.path[0] ?? '')
    first[0] = (first[0] ?? 0) ^ 1
    expect(why({ ...wrong, path: [toBase64(first), ...wrong.path.slice(1)] })).toMatch(/another root/)
  })
  it('fails for a checkpoint of another size', () => expect(why({ ...bundle(1), tree_size: 8 })).toMatch(/another size/))
  it('fails for a key that is not the known one', () => expect(why({ ...bundle(1), vkey: 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8' })).toMatch(/not the key of this trail/))
  it('fails for nonsense instead of breaking', () => expect(why({ ...bundle(1), entry: '%%%' })).not.toBe(''))
})
