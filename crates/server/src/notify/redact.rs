//! Addresses without what is secret in them, for screens, attempts and logs.

use api::notify::SECRET_SHOWN;
use reqwest::Url;

/// A part of a path that is longer than this and looks random is taken for a secret.
const WORD_CHARS_MAX: usize = 16;

/// `https://hooks.slack.com/••••`: for chats, whose whole path or query is the secret.
pub fn host_only(url: &str) -> String {
    match Url::parse(url) {
        Ok(parsed) => format!("{}/{SECRET_SHOWN}", origin(&parsed)),
        Err(_) => SECRET_SHOWN.to_owned(),
    }
}

/// Keeps the path of a webhook as far as it is made of words; user, password, query and whatever looks like a
/// key are hidden.
pub fn url(url: &str) -> String {
    let Ok(parsed) = Url::parse(url) else { return SECRET_SHOWN.to_owned() };
    let mut shown = origin(&parsed);
    for segment in parsed.path_segments().into_iter().flatten() {
        shown.push('/');
        shown.push_str(if is_word(segment) { segment } else { SECRET_SHOWN });
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        shown.push('?');
        shown.push_str(SECRET_SHOWN);
    }
    shown
}

fn origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let user =
        if url.username().is_empty() && url.password().is_none() { String::new() } else { format!("{SECRET_SHOWN}@") };
    format!("{}://{user}{host}{port}", url.scheme())
}

fn is_word(segment: &str) -> bool {
    segment.len() <= WORD_CHARS_MAX && segment.chars().filter(char::is_ascii_digit).count() <= 4
        || segment.split(['-', '_', '.']).all(|part| part.len() <= 12 && part.chars().all(|c| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_addresses_are_hidden() {
        for (given, wanted) in [
            ("https://hooks.example.org/belfry/in", "https://hooks.example.org/belfry/in"),
            ("http://127.0.0.1:9000/hook", "http://127.0.0.1:9000/hook"),
            ("https://ada:pw@hooks.example.org/in?token=abc#f", "https://••••@hooks.example.org/in?••••"),
            (
                "https://discord.example/api/webhooks/112233445566/AbCdEfGhIjKlMnOpQrSt",
                "https://discord.example/api/webhooks/••••/••••",
            ),
            (
                "https://hooks.example.org/privileged-access-events",
                "https://hooks.example.org/privileged-access-events",
            ),
            ("nonsense", "••••"),
        ] {
            assert_eq!(url(given), wanted);
        }
        assert_eq!(host_only("https://hooks.slack.com/services/T0/B0/abc"), "https://hooks.slack.com/••••");
        assert_eq!(
            host_only("https://prod-1.westeurope.logic.azure.com:443/workflows/x?sig=y"),
            "https://prod-1.westeurope.logic.azure.com/••••"
        );
    }
}
