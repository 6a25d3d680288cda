import { equalBytes, fromBase64 } from './bytes'
import { climb, leafHash, type Step } from './merkle'
import { openNote, parseVerifier, type Checkpoint } from './note'

/** What the server hands out as the proof of one event. */
export interface ProofBundle {
  position: number
  entry: string
  leaf_hash: string
  tree_size: number
  path: string[]
  checkpoint: string
  vkey: string
  /** There when the event was removed: its hash is all that is left of it. */
  removed?: unknown
}

export interface Check {
  title: string
  ok: boolean
  detail: string
}

export interface Verdict {
  ok: boolean
  checks: Check[]
  leaf: Uint8Array | null
  steps: Step[]
  checkpoint: Checkpoint | null
}

/**
 * Checks a proof with nothing but its own bytes and the public key: the entry's hash, the way from that hash to the root,
 * and the signature under the root. `trusted` is the key that was seen before; a proof that brings another key fails.
 */
export function checkProof(bundle: ProofBundle, trusted: string): Verdict {
  const verdict: Verdict = { ok: false, checks: [], leaf: null, steps: [], checkpoint: null }
  const step = (title: string, run: () => string): boolean => {
    try {
      verdict.checks.push({ title, ok: true, detail: run() })
      return true
    } catch (fault) {
      verdict.checks.push({ title, ok: false, detail: fault instanceof Error ? fault.message : String(fault) })
      return false
    }
  }

  verdict.ok =
    step(bundle.removed ? 'The event was removed, its hash stands in its place' : 'The event has this hash', () => {
      if (bundle.removed && bundle.entry === '') {
        verdict.leaf = fromBase64(bundle.leaf_hash)
        return 'what it said can\'t be told from a hash, and not be made up to fit it'
      }
      const leaf = leafHash(fromBase64(bundle.entry))
      if (!equalBytes(leaf, fromBase64(bundle.leaf_hash))) throw new Error('the event was altered: its hash is another one')
      verdict.leaf = leaf
      return 'SHA-256 of the event as it is stored, computed here'
    }) &&
    step('The checkpoint is signed by this trail', () => {
      if (bundle.vkey.trim() !== trusted.trim()) throw new Error('the proof brings a public key that is not the key of this trail')
      const checkpoint = openNote(bundle.checkpoint, parseVerifier(trusted))
      verdict.checkpoint = checkpoint
      return `Ed25519 signature of ${checkpoint.origin}, checked here`
    }) &&
    step('The hash leads to the signed root', () => {
      if (!verdict.leaf || !verdict.checkpoint) throw new Error('there is nothing to compare')
      if (bundle.tree_size !== verdict.checkpoint.size) throw new Error('the path is for a tree of another size than the checkpoint')
      const { root, steps } = climb(bundle.position, bundle.tree_size, verdict.leaf, bundle.path.map(fromBase64))
      verdict.steps = steps
      if (!equalBytes(root, verdict.checkpoint.root)) throw new Error('the path ends in another root than the signed one')
      return `${steps.length} hashes from position ${bundle.position.toLocaleString('en-US')} to the root over ${bundle.tree_size.toLocaleString('en-US')} events`
    })
  return verdict
}
