import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { equalBytes, fromBase64, join } from './bytes'

/** A checkpoint as C2SP tlog-checkpoint writes it: origin, tree size, root hash. */
export interface Checkpoint {
  origin: string
  size: number
  root: Uint8Array
}

/** A public key in the form of C2SP signed-note: name, key id, and the key itself. */
export interface Verifier {
  name: string
  id: Uint8Array
  key: Uint8Array
}

const ED25519 = 1

export function parseVerifier(text: string): Verifier {
  const [name, hex, ...rest] = text.trim().split('+')
  const encoded = rest.join('+')
  if (!name || !hex || !/^[0-9a-f]{8}$/.test(hex) || !encoded) throw new Error('the public key is not in the form name+id+key')
  const bytes = fromBase64(encoded)
  if (bytes.length !== 33 || bytes[0] !== ED25519) throw new Error('the public key is not an Ed25519 key')
  const id = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16))
  const expected = sha256(join(new TextEncoder().encode(`${name}\n`), bytes)).slice(0, 4)
  if (!equalBytes(id, expected)) throw new Error('the key id does not fit the public key')
  return { name, id, key: bytes.slice(1) }
}

/** Reads a signed note and checks the signature of `verifier`. Nothing of an unsigned note is ever returned. */
export function openNote(note: string, verifier: Verifier): Checkpoint {
  const end = note.lastIndexOf('\n\n')
  if (end < 0) throw new Error('the checkpoint has no signatures')
  const text = note.slice(0, end + 1)
  const lines = note.slice(end + 2).split('\n').filter((line) => line !== '')
  const signature = lines.map(readSignature).find((s) => s !== null && s.name === verifier.name && equalBytes(s.id, verifier.id))
  if (!signature) throw new Error(`the checkpoint is not signed by ${verifier.name}`)
  if (!ed25519.verify(signature.bytes, new TextEncoder().encode(text), verifier.key)) {
    throw new Error('the signature of the checkpoint is wrong')
  }
  return readCheckpoint(text)
}

function readSignature(line: string): { name: string; id: Uint8Array; bytes: Uint8Array } | null {
  const found = /^— (\S+) (\S+)$/.exec(line)
  if (!found?.[1] || !found[2]) return null
  const bytes = fromBase64(found[2])
  return { name: found[1], id: bytes.slice(0, 4), bytes: bytes.slice(4) }
}

export function readCheckpoint(text: string): Checkpoint {
  const [origin, size, root] = text.split('\n')
  if (!origin || !size || !/^(0|[1-9][0-9]*)$/.test(size) || !root) throw new Error('the checkpoint can\'t be read')
  const hash = fromBase64(root)
  if (hash.length !== 32) throw new Error('the root hash of the checkpoint is not 32 bytes long')
  return { origin, size: Number(size), root: hash }
}
