//! Signs webhooks, so that a receiver knows that they come from here and are fresh.
//!
//! Source: Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body` in `webhook-signature`.

use andon_models::Timestamp;
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;

/// Secrets in base64 begin with this; others are taken as they are.
const PREFIX: &str = "whsec_";

/// The headers of a signed webhook.
pub(super) fn headers(secret: &str, body: &str, now: Timestamp) -> [(&'static str, String); 3] {
    // The same body is the same message, also when it is sent again.
    let id = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, body.as_bytes()));
    let seconds = now.as_millis().div_euclid(1_000).to_string();
    let signature = sign(secret, &id, &seconds, body);
    [("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", signature)]
}

fn sign(secret: &str, id: &str, seconds: &str, body: &str) -> String {
    let decoded = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(secret.as_bytes()));
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's reference libraries.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            "{\"test\": 2432232314}",
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_plain_secret_signs_too_and_time_matters() {
        let at = |seconds| headers("secret", "{}", Timestamp::from_seconds(seconds));
        assert_eq!(at(5)[0], at(6)[0], "the same message has the same id");
        assert_ne!(at(5)[2], at(6)[2]);
        assert_eq!(at(5)[1].1, "5");
    }
}
