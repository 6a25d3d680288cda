//! Words that many products share.

/// Lower case; runs of anything else become one `_`.
pub(crate) fn slug(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len().min(128));
    let mut previous_lower = false;
    for c in text.chars() {
        if out.len() >= 128 {
            break;
        }
        if c.is_ascii_uppercase() && previous_lower {
            out.push('_');
        }
        previous_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(128);
    let out = out.trim_matches(['_', '.', '-']);
    (!out.is_empty()).then(|| out.to_owned())
}

/// `success` or `failure`.
pub(crate) fn outcome(text: &str) -> Option<&'static str> {
    const SUCCESS: [&str; 26] = [
        "success",
        "successful",
        "succeeded",
        "succeed",
        "ok",
        "okay",
        "true",
        "yes",
        "pass",
        "passed",
        "allow",
        "allowed",
        "allow_list",
        "permit",
        "permitted",
        "grant",
        "granted",
        "accept",
        "accepted",
        "approved",
        "complete",
        "completed",
        "info",
        "credentials_ok",
        "mfa_ok",
        "password_ok",
    ];
    const FAILURE: [&str; 28] = [
        "failure",
        "fail",
        "failed",
        "fails",
        "error",
        "errored",
        "false",
        "no",
        "deny",
        "denied",
        "reject",
        "rejected",
        "block",
        "blocked",
        "invalid",
        "unsuccessful",
        "unauthorized",
        "forbidden",
        "refused",
        "abort",
        "aborted",
        "cancelled",
        "timeout",
        "timed_out",
        "credentials_failed",
        "mfa_failed",
        "modern_version_failed",
        "firewall_failed",
    ];
    let word = text.trim().trim_end_matches(['.', '!']).to_ascii_lowercase().replace(' ', "_");
    // An HTTP status tells as well.
    if let Ok(status @ 100..=599) = word.parse::<u16>() {
        return Some(if status < 400 { "success" } else { "failure" });
    }
    if SUCCESS.contains(&word.as_str()) {
        return Some("success");
    }
    FAILURE.contains(&word.as_str()).then_some("failure")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_actions() {
        for (text, expected) in [
            ("User Login", Some("user_login")),
            ("ConsoleLogin", Some("console_login")),
            ("iam:CreateUser", Some("iam_create_user")),
            ("user.session.start", Some("user.session.start")),
            ("LOGIN_ERROR", Some("login_error")),
            ("  ", None),
            ("…", None),
        ] {
            assert_eq!(slug(text).as_deref(), expected, "{text}");
        }
        assert_eq!(slug(&"ab".repeat(200)).map(|s| s.len()), Some(128));
    }

    #[test]
    fn outcomes() {
        for (text, expected) in [
            ("Success", Some("success")),
            ("DENY", Some("failure")),
            ("false", Some("failure")),
            ("timed out", Some("failure")),
            ("200", Some("success")),
            ("403", Some("failure")),
            ("maybe", None),
            ("7", None),
        ] {
            assert_eq!(outcome(text), expected, "{text}");
        }
    }
}
