//! Witnesses: others who have seen that the trail only grew, and say so by a cosignature on its
//! checkpoint (C2SP tlog-cosignature, Ed25519; asked for by C2SP tlog-witness).
//!
//! Sending is not done here. [`request_body`] (or [`crate::Trail::witness_request`]) makes what is posted to
//! `<witness>/add-checkpoint`; [`parse_cosignatures`] reads a 200, [`parse_conflict`] a 409.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::Signature;

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::note::{self, ED25519, KeyError, NoteError, SIGNATURES_MAX, SignatureLine, SigningKey, WrittenKey};

/// The signature type byte of Ed25519 cosignatures.
const COSIGNATURE_V1: u8 = 0x04;
/// More than any witness answers.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why an answer of a witness, or a cosignature, is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// The note or a signature line is wrong.
    #[error("cosignature: {0}")]
    Note(#[from] NoteError),
    /// A cosignature is by a key that is known, but not on this checkpoint.
    #[error("the cosignature of {name} does not fit the checkpoint")]
    WrongCosignature {
        /// The name of the witness.
        name: String,
    },
    /// The answer holds no cosignature by a key that is known.
    #[error("no cosignature by a known witness in the answer")]
    Nobody,
    /// The answer is not what the protocol asks for.
    #[error("the witness did not answer as C2SP tlog-witness says: {0}")]
    Malformed(&'static str),
    /// There are more signatures than a note may have.
    #[error("a checkpoint takes at most {SIGNATURES_MAX} signatures")]
    TooMany,
}

/// The public key of a witness, with its name. Shown and parsed as a C2SP verifier key of type 0x04:
/// `name+id+base64`.
#[derive(Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

impl WitnessKey {
    fn new(name: &str, key: ed25519_dalek::VerifyingKey) -> Result<Self, KeyError> {
        note::check_name(name)?;
        Ok(Self { name: name.into(), id: note::key_id(name, COSIGNATURE_V1, &key), key })
    }

    /// The key that checks what [`cosign`] makes with this private key and name.
    pub fn of(key: &SigningKey, name: &str) -> Result<Self, KeyError> {
        Self::new(name, key.public())
    }

    /// The name of the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a signature line if it is by this key, and checks it against the text of the note.
    fn read(&self, line: &SignatureLine<'_>, text: &str) -> Option<Result<Cosignature, WitnessError>> {
        if line.name != self.name || line.id != self.id {
            return None;
        }
        let checked = || {
            let (time, signature) = line.signature.split_first_chunk::<8>()?;
            let cosigned_at = u64::from_be_bytes(*time);
            let signature = Signature::from_slice(signature).ok()?;
            i64::try_from(cosigned_at).ok()?;
            self.key.verify_strict(message(cosigned_at, text).as_bytes(), &signature).ok()?;
            Some(Cosignature { name: self.name.clone(), id: self.id, cosigned_at, signature: signature.to_bytes() })
        };
        Some(checked().ok_or_else(|| WitnessError::WrongCosignature { name: self.name.clone() }))
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        note::write_key(f, &self.name, self.id, COSIGNATURE_V1, &self.key)
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessKey({self})")
    }
}

impl FromStr for WitnessKey {
    type Err = KeyError;

    /// Type 0x04, or 0x01, under which some witnesses show the same key.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let WrittenKey { name, id, kind, key } = WrittenKey::read(text)?;
        let right = [COSIGNATURE_V1, ED25519].contains(&kind) && note::hex(note::key_id(name, kind, &key)) == id;
        if right { Self::new(name, key) } else { Err(KeyError::Malformed) }
    }
}

/// What a witness says: at this time the checkpoint was the largest that it had seen, and consistent with all before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    name: String,
    id: [u8; 4],
    cosigned_at: u64,
    signature: [u8; 64],
}

impl Cosignature {
    /// The name of the witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was made by the clock of the witness, in seconds since 1970.
    pub fn cosigned_at(&self) -> u64 {
        self.cosigned_at
    }
}

/// Shown as the signature line that stands in a note, without its end.
impl fmt::Display for Cosignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut data = self.id.to_vec();
        data.extend_from_slice(&self.cosigned_at.to_be_bytes());
        data.extend_from_slice(&self.signature);
        write!(f, "— {} {}", self.name, BASE64_STANDARD.encode(data))
    }
}

/// What to send to a witness, and for which checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRequest {
    /// The checkpoint that it shall cosign.
    pub checkpoint: Arc<Checkpoint>,
    /// The body of the request.
    pub body: String,
}

/// What a cosignature signs.
fn message(cosigned_at: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {cosigned_at}\n{text}")
}

/// Cosigns the text of a checkpoint's note, as a witness does. The caller has checked that it is consistent with what it saw before.
pub fn cosign(key: &SigningKey, name: &str, note: &str, cosigned_at: u64) -> Result<Cosignature, CosignError> {
    let own = WitnessKey::of(key, name)?;
    let (text, _) = note::split(note)?;
    let signature = key.sign_bytes(message(cosigned_at, text).as_bytes()).to_bytes();
    Ok(Cosignature { name: own.name, id: own.id, cosigned_at, signature })
}

/// Why a checkpoint could not be cosigned.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// The key can't sign under this name.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no note to sign.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// The body of the request `add-checkpoint`: `old` is the size that the witness cosigned last, `proof` that the trail
/// only grew from there to the checkpoint (empty when `old` is 0).
pub fn request_body(old: u64, proof: &[Hash], checkpoint: &Checkpoint) -> String {
    let mut body = format!("old {old}\n");
    for hash in proof {
        let _ = writeln!(body, "{hash}"); // to a string: this can't fail
    }
    body.push('\n');
    body.push_str(&checkpoint.note);
    body
}

/// Reads the answer 200 to `add-checkpoint`: the cosignatures by these keys, each checked against the checkpoint that was sent.
/// Those by other keys are passed over, as the protocol wants it; there is at least one.
pub fn parse_cosignatures(
    answer: &str,
    checkpoint: &Checkpoint,
    witnesses: &[WitnessKey],
) -> Result<Vec<Cosignature>, WitnessError> {
    if answer.len() > ANSWER_BYTES_MAX || answer.lines().count() > SIGNATURES_MAX {
        return Err(WitnessError::Malformed("the answer is too long"));
    }
    if !answer.ends_with('\n') {
        return Err(WitnessError::Malformed("the last line has no end"));
    }
    let lines: Vec<_> = answer.lines().map(SignatureLine::parse).collect::<Result<_, _>>()?;
    let (text, _) = note::split(&checkpoint.note)?;
    let found = known(&lines, text, witnesses)?;
    if found.is_empty() { Err(WitnessError::Nobody) } else { Ok(found) }
}

/// Reads the answer 409 to `add-checkpoint`: the size that the witness cosigned last, from which the next try goes on.
pub fn parse_conflict(answer: &str) -> Result<u64, WitnessError> {
    let malformed = || WitnessError::Malformed("the answer 409 is not a size");
    let size = answer.strip_suffix('\n').unwrap_or(answer);
    let plain = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
    if plain { size.parse().map_err(|_| malformed()) } else { Err(malformed()) }
}

/// The cosignatures by these keys on a note, each checked. Of several by one key the newest counts.
pub fn cosignatures(note: &str, witnesses: &[WitnessKey]) -> Result<Vec<Cosignature>, WitnessError> {
    let (text, lines) = note::split(note)?;
    known(&lines, text, witnesses)
}

fn known(lines: &[SignatureLine<'_>], text: &str, witnesses: &[WitnessKey]) -> Result<Vec<Cosignature>, WitnessError> {
    let mut newest: BTreeMap<(String, [u8; 4]), Cosignature> = BTreeMap::new();
    for line in lines {
        for found in witnesses.iter().filter_map(|key| key.read(line, text)) {
            let found = found?;
            let place = newest.entry((found.name.clone(), found.id)).or_insert_with(|| found.clone());
            if found.cosigned_at > place.cosigned_at {
                *place = found;
            }
        }
    }
    Ok(newest.into_values().collect())
}

/// The note with these cosignatures, each in the place of an older one by the same key.
pub(crate) fn with_cosignatures(note: &str, cosignatures: &[Cosignature]) -> Result<String, WitnessError> {
    let (text, lines) = note::split(note)?;
    let mut made = format!("{text}\n");
    let mut count = 0;
    let replaced = |line: &SignatureLine<'_>| {
        cosignatures.iter().any(|c| {
            let held = line.signature.first_chunk::<8>().map(|time| u64::from_be_bytes(*time));
            line.name == c.name && line.id == c.id && held.is_none_or(|held| held <= c.cosigned_at)
        })
    };
    let kept = |c: &Cosignature| lines.iter().any(|l| l.name == c.name && l.id == c.id && !replaced(l));
    for line in lines.iter().filter(|line| !replaced(line)) {
        let mut data = line.id.to_vec();
        data.extend_from_slice(&line.signature);
        made.push_str(&format!("— {} {}\n", line.name, BASE64_STANDARD.encode(data)));
        count += 1;
    }
    for cosignature in cosignatures.iter().filter(|c| !kept(c)) {
        made.push_str(&format!("{cosignature}\n"));
        count += 1;
    }
    if count > SIGNATURES_MAX { Err(WitnessError::TooMany) } else { Ok(made) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    // Made with Python's `cryptography`: the log's key is 32 bytes of 1, the witness's 32 bytes of 2.
    const NOTE: &str = "belfry.example/acme\n1\niipcm3aIJ95alVLDigRMZpWcaPbS8htSYK9U0vh9uCc=\n\n\
        — belfry.example/acme 7FIz33OAtTl3XWOVL9pzEpDJQ9EouR6G96GukPSGLjffqbZyfEK8RQ3/sGqgs78ux0G5LSnpP77WjnzYjey8CtzBZQM=\n";
    const LINE: &str = "— witness.example/w1 3xwKNQAAAABkGFDLBbkF8sr1vjbOga3IKvtYPChVYznN3NkXBEZGtJrqsEs46llnESErIr6y5P5j73YmA1eI6Z/8NLsXkLrEapPcAQ==\n";
    const KEY: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
    const KEY_AS_TYPE_1: &str = "witness.example/w1+9e225179+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
    const TIME: u64 = 1_679_315_147;

    fn checkpoint() -> Checkpoint {
        let verifier = SigningKey::from_seed(&[1; 32]).verifier("belfry.example/acme").unwrap();
        Checkpoint::open(NOTE, &verifier, SystemTime::UNIX_EPOCH).unwrap()
    }

    fn witness() -> WitnessKey {
        KEY.parse().unwrap()
    }

    #[test]
    fn reads_and_makes_what_another_implementation_makes() {
        assert_eq!(witness().to_string(), KEY);
        assert_eq!(KEY_AS_TYPE_1.parse::<WitnessKey>().unwrap(), witness());
        let read = parse_cosignatures(LINE, &checkpoint(), &[witness()]).unwrap();
        assert_eq!((read.len(), read[0].name(), read[0].cosigned_at()), (1, "witness.example/w1", TIME));
        let made = cosign(&SigningKey::from_seed(&[2; 32]), "witness.example/w1", NOTE, TIME).unwrap();
        assert_eq!((&made, format!("{made}\n").as_str()), (&read[0], LINE));
        assert_eq!(WitnessKey::of(&SigningKey::from_seed(&[2; 32]), "witness.example/w1").unwrap(), witness());
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        for bit in 0..LINE.len() * 8 {
            let mut wrong = LINE.as_bytes().to_vec();
            wrong[bit / 8] ^= 1 << (bit % 8);
            if let Ok(text) = String::from_utf8(wrong) {
                assert!(parse_cosignatures(&text, &checkpoint(), &[witness()]).is_err(), "bit {bit}");
            }
            let mut key = KEY.as_bytes().to_vec();
            if let Some(byte) = key.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
                assert!(String::from_utf8(key).map_or(true, |key| key.parse::<WitnessKey>().is_err()), "bit {bit}");
            }
        }
        let other = Checkpoint { note: NOTE.replacen("\n1\n", "\n2\n", 1), ..checkpoint() };
        let refused = WitnessError::WrongCosignature { name: "witness.example/w1".into() };
        assert_eq!(parse_cosignatures(LINE, &other, &[witness()]), Err(refused));
    }

    #[test]
    fn answers_are_read_as_the_protocol_says() {
        let others = "— someone.else/x AAAAAAAAAAAAAAAA\n";
        let both = format!("{others}{LINE}");
        assert_eq!(parse_cosignatures(&both, &checkpoint(), &[witness()]).unwrap().len(), 1);
        assert_eq!(parse_cosignatures(others, &checkpoint(), &[witness()]), Err(WitnessError::Nobody));
        for wrong in ["", "no\n", LINE.trim_end(), "\n", &"— a AAAAAAAA\n".repeat(101)] {
            assert!(parse_cosignatures(wrong, &checkpoint(), &[witness()]).is_err(), "{wrong:?}");
        }
        for (text, size) in [("0\n", Some(0)), ("20852014\n", Some(20_852_014)), ("7", Some(7))] {
            assert_eq!(parse_conflict(text).ok(), size);
        }
        for wrong in ["", "\n", "007\n", "-1\n", "+1\n", "7\n\n", "7 \n", "99999999999999999999\n"] {
            assert!(parse_conflict(wrong).is_err(), "{wrong:?}");
        }
        let body = request_body(5, &[Hash::leaf(b""), Hash::empty()], &checkpoint());
        let wanted = format!(
            "old 5\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n{NOTE}"
        );
        assert_eq!(body, wanted);
    }

    #[test]
    fn a_note_holds_the_newest_of_each_witness() {
        let cosigned = |seed: u8, time| cosign(&SigningKey::from_seed(&[seed; 32]), "w.example/w", NOTE, time).unwrap();
        let key = |seed: u8| WitnessKey::of(&SigningKey::from_seed(&[seed; 32]), "w.example/w").unwrap();
        let note = with_cosignatures(NOTE, &[cosigned(2, 10), cosigned(3, 10)]).unwrap();
        let note = with_cosignatures(&note, &[cosigned(2, 12), cosigned(3, 9), cosigned(4, 1)]).unwrap();
        let times: Vec<u64> =
            [2, 3, 4].map(|seed| cosignatures(&note, &[key(seed)]).unwrap()[0].cosigned_at()).to_vec();
        assert_eq!((times, note.lines().count()), (vec![12, 10, 1], 3 + 1 + 1 + 3));
        assert!(note.starts_with(NOTE));
        let verifier = SigningKey::from_seed(&[1; 32]).verifier("belfry.example/acme").unwrap();
        let opened = Checkpoint::open(&note, &verifier, SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(opened.cosignatures(&[key(2), key(3), key(5)]).unwrap().len(), 2);
    }
}
