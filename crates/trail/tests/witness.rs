//! Witnesses: what is sent to them, and what becomes of what they answer.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::fs;

use bytes::Bytes;
use trail::witness::{self, Cosignature, WitnessKey};
use trail::{Batch, Checkpoint, Hash, Options, SigningKey, Trail, TrailError, verify};

const ORIGIN: &str = "belfry.example/acme";

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

/// A witness as the protocol has it: remembers the newest checkpoint, and cosigns what is consistent with it.
struct Witness {
    key: SigningKey,
    seen: (u64, Hash),
    clock: u64,
}

impl Witness {
    const NAME: &str = "witness.example/w1";

    fn new(seed: u8) -> Self {
        Self { key: SigningKey::from_seed(&[seed; 32]), seen: (0, Hash::empty()), clock: 100 }
    }

    fn public(&self) -> WitnessKey {
        WitnessKey::of(&self.key, Self::NAME).unwrap()
    }

    /// The status and body of its answer.
    fn add_checkpoint(&mut self, body: &str) -> (u16, String) {
        let (head, note) = body.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let proof: Vec<Hash> = lines.map(|line| line.parse().unwrap()).collect();
        let log = key().verifier(ORIGIN).unwrap();
        let Ok(checkpoint) = verify::checkpoint(note, &log) else { return (403, String::new()) };
        if old != self.seen.0 {
            return (409, format!("{}\n", self.seen.0));
        }
        let consistent = match old {
            0 => proof.is_empty(),
            _ => verify::consistency(old, checkpoint.size, &proof, &self.seen.1, &checkpoint.root).is_ok(),
        };
        if !consistent {
            return (422, String::new());
        }
        self.seen = (checkpoint.size, checkpoint.root);
        self.clock += 1;
        (200, format!("{}\n", witness::cosign(&self.key, Self::NAME, note, self.clock).unwrap()))
    }
}

fn append(trail: &Trail, count: u64) {
    let entries = (0..count).map(|i| Bytes::from(format!("{} {i}", trail.size()))).collect();
    trail.append_wait(Batch { entries, tag: None }).unwrap();
    trail.seal().unwrap();
}

#[test]
fn cosignatures_are_asked_for_stored_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let (trail, _) = Trail::open(dir.path(), key(), Options::default()).unwrap();
    assert_eq!(trail.cosigned(), None);
    let (mut one, mut other) = (Witness::new(2), Witness::new(3));
    let keys = [one.public(), other.public()];
    let mut kept: Option<Checkpoint> = None;
    for round in 0..5 {
        append(&trail, 1 + round * 130);
        // The second witness does not know how far it was: it is asked from the wrong size, and says from where to go on.
        let request = trail.witness_request(one.seen.0).unwrap();
        let (status, answer) = one.add_checkpoint(&request.body);
        assert_eq!(status, 200);
        let mut cosigned: Vec<Cosignature> = witness::parse_cosignatures(&answer, &request.checkpoint, &keys).unwrap();
        let (status, answer) = other.add_checkpoint(&trail.witness_request(0).unwrap().body);
        let (status, answer) = if status == 409 {
            let size = witness::parse_conflict(&answer).unwrap();
            other.add_checkpoint(&trail.witness_request(size).unwrap().body)
        } else {
            (status, answer)
        };
        assert_eq!(status, 200, "round {round}");
        cosigned.extend(witness::parse_cosignatures(&answer, &request.checkpoint, &keys).unwrap());
        let stored = trail.add_cosignatures(&request.checkpoint, &cosigned).unwrap().unwrap();
        assert_eq!(stored.size, trail.size());
        assert_eq!(trail.cosigned(), Some(stored.clone()));
        assert_eq!(stored.cosignatures(&keys).unwrap().len(), 2);
        assert_eq!(fs::read_to_string(dir.path().join("cosigned")).unwrap(), stored.note);
        if let Some(old) = &kept {
            // What comes too late changes nothing.
            assert_eq!(trail.add_cosignatures(old, &cosigned).unwrap(), Some(stored.clone()));
        }
        kept = Some((*stored).clone());
    }
    append(&trail, 10);
    let kept = kept.unwrap();
    assert!(trail.checkpoint().size > kept.size);
    let forged = Checkpoint::sign(&key(), ORIGIN, kept.size + 1, Hash::empty(), kept.at).unwrap();
    let cosignature = witness::cosign(&SigningKey::from_seed(&[2; 32]), Witness::NAME, &forged.note, 1).unwrap();
    assert!(matches!(trail.add_cosignatures(&forged, &[cosignature]), Err(TrailError::Checkpoint(_))));
    let sealed = trail.seal().unwrap();
    drop(trail);

    let verified = verify::folder(dir.path(), &key().verifier(ORIGIN).unwrap(), &mut |_| (), Some(&sealed)).unwrap();
    let found = verified.cosigned.unwrap();
    assert_eq!((found.size, found.cosignatures(&keys).unwrap().len()), (kept.size, 2));
    let (trail, _) = Trail::open(dir.path(), key(), Options::default()).unwrap();
    assert_eq!(trail.cosigned().unwrap().note, kept.note);
}

#[test]
fn a_trail_cut_behind_its_cosignatures_is_found() {
    let dir = tempfile::tempdir().unwrap();
    Trail::create(dir.path(), ORIGIN, &key()).unwrap();
    let (trail, _) = Trail::open(dir.path(), key(), Options::default()).unwrap();
    append(&trail, 10);
    trail.close();
    drop(trail);
    let wal = fs::read_dir(dir.path().join("log")).unwrap().next().unwrap().unwrap().path();
    let before = (fs::read(&wal).unwrap(), fs::read(dir.path().join("checkpoint")).unwrap());
    let (trail, _) = Trail::open(dir.path(), key(), Options::default()).unwrap();
    append(&trail, 10);
    let request = trail.witness_request(0).unwrap();
    let cosignature =
        witness::cosign(&SigningKey::from_seed(&[2; 32]), Witness::NAME, &request.checkpoint.note, 1).unwrap();
    trail.add_cosignatures(&request.checkpoint, &[cosignature]).unwrap();
    drop(trail);
    fs::write(&wal, before.0).unwrap();
    fs::write(dir.path().join("checkpoint"), before.1).unwrap();
    let fault = verify::folder(dir.path(), &key().verifier(ORIGIN).unwrap(), &mut |_| (), None).unwrap_err();
    assert_eq!(fault.position, 10, "{fault}");
    let error = Trail::open(dir.path(), key(), Options::default()).unwrap_err();
    assert!(matches!(error, TrailError::Tampered { position: 10, .. }), "{error}");
    fs::write(dir.path().join("cosigned"), "garbage").unwrap();
    assert!(verify::folder(dir.path(), &key().verifier(ORIGIN).unwrap(), &mut |_| (), None).is_err());
}
