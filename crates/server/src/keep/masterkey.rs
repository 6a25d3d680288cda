//! The master key: an age X25519 key that opens backups, split among people.
//!
//! The server keeps the public half, the recipient, and so can make backups and not read them. The secret is 32 bytes,
//! cut with Shamir's scheme into `n` shares of which any `k` give it back; less than `k` say nothing about it.
//!
//! A share as people keep it:
//!
//! ```text
//! Belfry master key 9f3c22a1: share 2 of 5, any 3 open a backup
//! 04h6sk 1n0d3p q9ttm2 …      15 groups of 6 in three lines
//! ```
//!
//! The alphabet is Crockford's: no I, L, O, U; small and large letters are the same, `o` is read as 0, `i` and `l` as 1.
//! The last character of a group checks the group, so a slip is found where it is. The groups hold 46 bytes: version,
//! k, n, number of the share, 4 bytes fingerprint, 32 bytes share, 6 bytes of the SHA-256 over all before. The first
//! line is for people; it is passed over when a share is read.

use std::collections::BTreeMap;

use age::secrecy::ExposeSecret as _;
pub use age::x25519::{Identity, Recipient};
use blahaj::{Share, Sharks};
use sha2::{Digest as _, Sha256};

use crate::hash::hex;

const VERSION: u8 = 1;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const GROUPS: usize = 15;
const GROUP_CHARS: usize = 6;
const SECRET_BYTES: usize = 32;
/// Version, k, n, number, fingerprint.
const HEAD_BYTES: usize = 8;
const CHECK_BYTES: usize = 6;
const SHARE_BYTES: usize = HEAD_BYTES + SECRET_BYTES + CHECK_BYTES;
/// People among whom a key can be split.
pub const SHARES_MAX: u8 = 20;

/// Why shares, or a key, can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "a key is split into 1 to {SHARES_MAX} shares, of which 1 to all are needed; {threshold} of {shares} can't be"
    )]
    Split { shares: u8, threshold: u8 },
    #[error("{text:?} is no recipient: it begins with age1")]
    Recipient { text: String },
    #[error("share {place}: it has {found} characters, a share has 90")]
    Length { place: usize, found: usize },
    #[error("share {place}: {found:?} is no character of a share")]
    Character { place: usize, found: char },
    #[error("share {place}: group {group} ({text}) is not what was written down")]
    Group { place: usize, group: usize, text: String },
    #[error("share {place}: its groups do not belong together")]
    Mixed { place: usize },
    #[error("share {place} was made by a newer belfry (format {found})")]
    Newer { place: usize, found: u8 },
    #[error("share {place} is of key {found}, the ones before are of key {wanted}")]
    OtherKey { place: usize, wanted: String, found: String },
    #[error("{found} of {needed} needed shares were given")]
    TooFew { found: usize, needed: u8 },
    #[error("the shares do not give back the key they name")]
    Wrong,
    #[error("there is neither a share nor a key in what was given")]
    Nothing,
    #[error("this is no age key: it begins with AGE-SECRET-KEY-1")]
    Identity,
}

/// A new key and its shares.
pub struct Made {
    pub recipient: String,
    pub fingerprint: String,
    pub shares: Vec<String>,
}

/// Makes a key of which any `threshold` of `shares` shares open a backup.
pub fn make(shares: u8, threshold: u8) -> Result<Made, KeyError> {
    if !(1..=SHARES_MAX).contains(&shares) || !(1..=shares).contains(&threshold) {
        return Err(KeyError::Split { shares, threshold });
    }
    let mut secret = [0; SECRET_BYTES];
    rand::fill(&mut secret);
    let identity = identity_of(&secret).ok_or(KeyError::Wrong)?;
    let recipient = identity.to_public().to_string();
    let mark = mark(&recipient);
    let shares = Sharks(threshold)
        .dealer(&secret)
        .take(usize::from(shares))
        .map(|share| text_of(&Vec::from(&share), threshold, shares, mark))
        .collect();
    secret.fill(0);
    Ok(Made { fingerprint: fingerprint(&recipient), recipient, shares })
}

/// The name of a key, 8 hexadecimal digits. It stands on every share and every backup.
pub fn fingerprint(recipient: &str) -> String {
    hex(&mark(recipient))
}

/// Reads a recipient.
pub fn recipient(text: &str) -> Result<Recipient, KeyError> {
    text.trim().parse().map_err(|_| KeyError::Recipient { text: text.chars().take(80).collect() })
}

/// The fingerprint of the key that an identity is.
pub fn fingerprint_of(identity: &Identity) -> String {
    fingerprint(&identity.to_public().to_string())
}

/// The whole key as the program `age` reads it.
pub fn identity_text(identity: &Identity) -> String {
    identity.to_string().expose_secret().to_owned()
}

/// Reads the key out of a text: shares, with or without their first lines, or an age identity file.
pub fn read(text: &str) -> Result<Identity, KeyError> {
    let line = |line: &str| line.trim().to_ascii_uppercase().starts_with("AGE-SECRET-KEY-");
    if let Some(line) = text.lines().find(|text| line(text)) {
        return line.trim().parse().map_err(|_| KeyError::Identity);
    }
    combine(&split_shares(text))
}

/// Gives the key back from its shares, each as it was written down.
pub fn combine<S: AsRef<str>>(shares: &[S]) -> Result<Identity, KeyError> {
    if let [one] = shares
        && one.as_ref().trim().to_ascii_uppercase().starts_with("AGE-SECRET-KEY-")
    {
        return one.as_ref().trim().parse().map_err(|_| KeyError::Identity);
    }
    let mut first: Option<Parsed> = None;
    // By number: the same share twice is one share.
    let mut by_number: BTreeMap<u8, Share> = BTreeMap::new();
    for (index, text) in shares.iter().enumerate() {
        let place = index + 1;
        let parsed = parse(text.as_ref(), place)?;
        if let Some(first) = &first
            && (first.mark, first.threshold) != (parsed.mark, parsed.threshold)
        {
            let (wanted, found) = (hex(&first.mark), hex(&parsed.mark));
            return Err(KeyError::OtherKey { place, wanted, found });
        }
        let share = Share::try_from(parsed.share.as_slice()).map_err(|_| KeyError::Mixed { place })?;
        by_number.insert(parsed.share[0], share);
        first.get_or_insert(parsed);
    }
    let first = first.ok_or(KeyError::Nothing)?;
    if by_number.len() < usize::from(first.threshold) {
        return Err(KeyError::TooFew { found: by_number.len(), needed: first.threshold });
    }
    let mut secret = Sharks(first.threshold).recover(by_number.values()).map_err(|_| KeyError::Wrong)?;
    let bytes = <[u8; SECRET_BYTES]>::try_from(secret.as_slice()).map_err(|_| KeyError::Wrong)?;
    secret.fill(0);
    let identity = identity_of(&bytes).ok_or(KeyError::Wrong)?;
    if mark(&identity.to_public().to_string()) != first.mark {
        return Err(KeyError::Wrong);
    }
    Ok(identity)
}

/// How many different shares a text holds, and how many it takes; for whoever types them one by one.
pub fn counted(text: &str) -> Result<(usize, u8), KeyError> {
    let mut numbers = std::collections::BTreeSet::new();
    let mut needed = 0;
    for (index, share) in split_shares(text).iter().enumerate() {
        let parsed = parse(share, index + 1)?;
        numbers.insert(parsed.share[0]);
        needed = parsed.threshold;
    }
    if needed == 0 { Err(KeyError::Nothing) } else { Ok((numbers.len(), needed)) }
}

/// The shares in a text, or the one line with the whole key, each for itself.
pub fn pieces(text: &str) -> Vec<String> {
    let whole = text.lines().map(str::trim).find(|line| line.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-"));
    whole.map_or_else(|| split_shares(text), |line| vec![line.to_owned()])
}

/// Cuts a text into shares: their first lines and everything between the groups are passed over.
fn split_shares(text: &str) -> Vec<String> {
    let mut shares = Vec::new();
    let mut current = String::new();
    for line in text.lines() {
        let line = line.trim();
        let head = line.to_ascii_lowercase().starts_with("belfry ") || line.starts_with('#');
        if head || line.is_empty() {
            if !current.is_empty() {
                shares.push(std::mem::take(&mut current));
            }
            continue;
        }
        current.extend(code(line));
        if current.len() >= GROUPS * GROUP_CHARS {
            shares.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        shares.push(current);
    }
    shares
}

/// The characters of a line that count.
fn code(line: &str) -> impl Iterator<Item = char> {
    line.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | ','))
}

struct Parsed {
    threshold: u8,
    mark: [u8; 4],
    /// Its number, then its bytes.
    share: Vec<u8>,
}

fn parse(text: &str, place: usize) -> Result<Parsed, KeyError> {
    let lines = text.lines().filter(|line| !line.trim().to_ascii_lowercase().starts_with("belfry "));
    let mut digits = Vec::with_capacity(GROUPS * GROUP_CHARS);
    for found in lines.flat_map(code) {
        digits.push(digit(found).ok_or(KeyError::Character { place, found })?);
    }
    if digits.len() != GROUPS * GROUP_CHARS {
        return Err(KeyError::Length { place, found: digits.len() });
    }
    let mut bits = Bits::default();
    let mut bytes = Vec::with_capacity(SHARE_BYTES + 1);
    for (index, group) in digits.chunks(GROUP_CHARS).enumerate() {
        let (check, data) = group.split_last().ok_or(KeyError::Mixed { place })?;
        if *check != group_check(index, data) {
            let text = group.iter().map(|digit| letter(*digit)).collect();
            return Err(KeyError::Group { place, group: index + 1, text });
        }
        for digit in data {
            bytes.extend(bits.push(*digit));
        }
    }
    bytes.truncate(SHARE_BYTES);
    let (body, check) = bytes.split_at(SHARE_BYTES - CHECK_BYTES);
    if Sha256::digest(body).get(..CHECK_BYTES) != Some(check) {
        return Err(KeyError::Mixed { place });
    }
    let (head, secret) = body.split_at(HEAD_BYTES);
    let &[version, threshold, _, number, a, b, c, d] = head else { return Err(KeyError::Mixed { place }) };
    if version != VERSION {
        return Err(KeyError::Newer { place, found: version });
    }
    let mut share = vec![number];
    share.extend_from_slice(secret);
    Ok(Parsed { threshold, mark: [a, b, c, d], share })
}

fn text_of(share: &[u8], threshold: u8, shares: u8, mark: [u8; 4]) -> String {
    let (number, secret) = share.split_first().map_or((0, share), |(number, rest)| (*number, rest));
    let mut bytes = vec![VERSION, threshold, shares, number];
    bytes.extend_from_slice(&mark);
    bytes.extend_from_slice(secret);
    let check = Sha256::digest(&bytes);
    bytes.extend(check.iter().take(CHECK_BYTES));
    let mut digits = digits_of(&bytes);
    digits.resize(GROUPS * (GROUP_CHARS - 1), 0);
    let needed = if threshold == 1 { "it alone opens".to_owned() } else { format!("any {threshold} open") };
    let mut text = format!("Belfry master key {}: share {number} of {shares}, {needed} a backup\n", hex(&mark));
    for (index, group) in digits.chunks(GROUP_CHARS - 1).enumerate() {
        text.extend(group.iter().map(|digit| letter(*digit)));
        text.push(letter(group_check(index, group)));
        text.push(if index % 5 == 4 { '\n' } else { ' ' });
    }
    text.truncate(text.trim_end().len());
    text
}

/// Finds every single wrong character, two that changed places, and a group in the wrong place.
fn group_check(index: usize, data: &[u8]) -> u8 {
    // A polynomial over GF(32) with x = 2: weights differ from place to place.
    let mut sum = (index % 31 + 1) as u8;
    for digit in data {
        sum = double(sum) ^ digit;
    }
    double(sum)
}

/// Times two in GF(32), modulo x⁵ + x² + 1.
fn double(value: u8) -> u8 {
    let twice = value << 1;
    if twice & 32 == 0 { twice } else { twice & 31 ^ 0b00101 }
}

#[derive(Default)]
struct Bits {
    held: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, digit: u8) -> Option<u8> {
        self.held = self.held << 5 | u32::from(digit);
        self.count += 5;
        (self.count >= 8).then(|| {
            self.count -= 8;
            let byte = (self.held >> self.count & 255) as u8;
            self.held &= (1 << self.count) - 1;
            byte
        })
    }
}

fn digit(letter: char) -> Option<u8> {
    let plain = match letter.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == plain).map(|place| place as u8)
}

fn letter(digit: u8) -> char {
    char::from(ALPHABET.get(usize::from(digit)).copied().unwrap_or(b'0'))
}

fn mark(recipient: &str) -> [u8; 4] {
    let digest = Sha256::digest(recipient.as_bytes());
    [digest[0], digest[1], digest[2], digest[3]]
}

/// The bytes, five bits a digit; the last one is filled up with zeros.
fn digits_of(bytes: &[u8]) -> Vec<u8> {
    let mut digits = Vec::new();
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            digits.push((held >> bits & 31) as u8);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        digits.push((held << (5 - bits) & 31) as u8);
    }
    digits
}

/// The identity of 32 secret bytes. `age` takes it only as text, in Bech32 (BIP 173).
fn identity_of(secret: &[u8; SECRET_BYTES]) -> Option<Identity> {
    const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const PREFIX: &str = "age-secret-key-";
    let digits = digits_of(secret);
    let high = PREFIX.bytes().map(|byte| byte >> 5);
    let low = PREFIX.bytes().map(|byte| byte & 31);
    let values = high.chain([0]).chain(low).chain(digits.iter().copied()).chain([0; 6]);
    let sum = polymod(values) ^ 1;
    let check = (0..6).map(|place| (sum >> (5 * (5 - place)) & 31) as u8);
    let mut text = format!("{PREFIX}1");
    text.extend(digits.iter().copied().chain(check).map(|digit| char::from(LETTERS[usize::from(digit)])));
    text.to_ascii_uppercase().parse().ok()
}

fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let mut sum = (sum & 0x1ff_ffff) << 5 ^ u32::from(value);
        for (place, term) in GENERATOR.iter().enumerate() {
            if top >> place & 1 == 1 {
                sum ^= term;
            }
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_k_shares_give_the_key_back_and_fewer_do_not() {
        for (n, k) in [(1, 1), (3, 2), (5, 3), (20, 20)] {
            let made = make(n, k).unwrap();
            assert_eq!(made.shares.len(), usize::from(n));
            let last: Vec<&String> = made.shares.iter().rev().take(usize::from(k)).collect();
            let identity = combine(&last).unwrap();
            assert_eq!(identity.to_public().to_string(), made.recipient);
            assert_eq!(fingerprint_of(&identity), made.fingerprint);
            assert!(made.shares[0].contains(&made.fingerprint));
            if k > 1 {
                let few = &last[1..];
                let error = combine(few).map(|_| ()).unwrap_err();
                assert_eq!(error, KeyError::TooFew { found: few.len(), needed: k });
                // The same share twice is one.
                let twice = vec![last[0]; usize::from(k)];
                assert_eq!(combine(&twice).map(|_| ()).unwrap_err(), KeyError::TooFew { found: 1, needed: k });
            }
            // In one text, as a file or a terminal gives them, and as people type.
            let text = made.shares.join("\n\n").to_uppercase().replace('0', "O").replace('1', "l");
            assert_eq!(read(&text).unwrap().to_public().to_string(), made.recipient);
            assert_eq!(counted(&text).unwrap(), (usize::from(n), k));
            let bare: String =
                made.shares.iter().flat_map(|share| share.lines().skip(1)).collect::<Vec<_>>().join("\n");
            assert_eq!(read(&bare).unwrap().to_public().to_string(), made.recipient);
            // And the whole key.
            assert_eq!(read(&identity_text(&identity)).unwrap().to_public().to_string(), made.recipient);
        }
    }

    #[test]
    fn every_slip_is_found_where_it_is() {
        let made = make(3, 2).unwrap();
        let (head, code) = made.shares[0].split_once('\n').unwrap();
        assert!(head.contains("share 1 of 3, any 2 open"), "{head}");
        let letters: Vec<char> = code.chars().filter(|c| !c.is_whitespace()).collect();
        assert_eq!(letters.len(), 90);
        for place in 0..90 {
            let group = place / 6 + 1;
            for other in ALPHABET.iter().map(|byte| char::from(*byte)).filter(|c| *c != letters[place]) {
                let mut slip = letters.clone();
                slip[place] = other;
                match parse(&slip.iter().collect::<String>(), 1).map(|_| ()).unwrap_err() {
                    KeyError::Group { group: found, .. } => assert_eq!(found, group),
                    error => panic!("{error}"),
                }
            }
            if place % 6 < 4 && letters[place] != letters[place + 1] {
                let mut slip = letters.clone();
                slip.swap(place, place + 1);
                assert!(parse(&slip.iter().collect::<String>(), 1).is_err(), "swapped at {place}");
            }
        }
        for (text, wanted) in [
            (&code[..20], KeyError::Length { place: 1, found: 18 }),
            ("u", KeyError::Character { place: 1, found: 'u' }),
        ] {
            assert_eq!(parse(text, 1).map(|_| ()).unwrap_err(), wanted);
        }
        let other = make(3, 2).unwrap();
        let mixed = [&made.shares[0], &other.shares[1]];
        assert!(matches!(combine(&mixed).map(|_| ()), Err(KeyError::OtherKey { place: 2, .. })));
        assert_eq!(read("").map(|_| ()).unwrap_err(), KeyError::Nothing);
        assert!(matches!(make(3, 4), Err(KeyError::Split { .. })));
        assert!(recipient("age1nonsense").is_err());
    }
}
