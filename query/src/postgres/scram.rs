//! The server's side of SCRAM-SHA-256: both sides prove that they know a password, and neither says it.
//!
//! Source: RFC 5802 and RFC 7677; without channel binding.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    digest,
    hmac::{HMAC_SHA256, Key, sign},
    pbkdf2,
};
use std::num::NonZeroU32;

/// What checks a password, and what proves the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// SHA-256 of the client's key.
    pub stored_key: Vec<u8>,
    /// The server's key.
    pub server_key: Vec<u8>,
}

/// The keys of a password.
pub fn keys(password: &str, salt: &[u8], iterations: NonZeroU32) -> Keys {
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
    let client_key = hmac(&salted, b"Client Key");
    Keys { stored_key: sha256(&client_key), server_key: hmac(&salted, b"Server Key") }
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), text).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// An exchange that waits for the client's proof.
pub struct Exchange {
    keys: Keys,
    /// The client's header, which it repeats.
    header: String,
    client_first: String,
    server_first: String,
    nonce: String,
}

/// Answers the client's first message with a challenge. None when it is no such message, or wants what there is not.
pub fn challenge(first: &[u8], keys: Keys, salt: &[u8], iterations: u32, nonce: &[u8]) -> Option<(String, Exchange)> {
    let text = std::str::from_utf8(first).ok()?;
    // `n,,` or `y,,`: no channel binding and no other identity.
    let header = ["n,,", "y,,"].into_iter().find(|header| text.starts_with(header))?;
    let client_first = &text[header.len()..];
    let theirs = client_first.split(',').find_map(|part| part.strip_prefix("r="))?;
    if theirs.is_empty() || client_first.split(',').any(|part| part.starts_with("m=")) {
        return None;
    }
    let nonce = format!("{theirs}{}", STANDARD.encode(nonce));
    let server_first = format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt));
    let exchange =
        Exchange { keys, header: header.into(), client_first: client_first.into(), server_first: server_first.clone(), nonce };
    Some((server_first, exchange))
}

impl Exchange {
    /// Checks the client's proof and answers with the server's. None when it does not hold.
    pub fn finish(&self, last: &[u8]) -> Option<String> {
        let text = std::str::from_utf8(last).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut parts = without_proof.split(',');
        let binding = parts.next()?.strip_prefix("c=")?;
        let nonce = parts.next()?.strip_prefix("r=")?;
        if binding != STANDARD.encode(&self.header) || nonce != self.nonce {
            return None;
        }
        let all = format!("{},{},{without_proof}", self.client_first, self.server_first);
        let signature = hmac(&self.keys.stored_key, all.as_bytes());
        let proof = STANDARD.decode(proof).ok().filter(|proof| proof.len() == signature.len())?;
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        // In the same time wherever the keys differ.
        let differ = sha256(&client_key).iter().zip(&self.keys.stored_key).fold(0, |all, (a, b)| all | (a ^ b));
        if differ != 0 || self.keys.stored_key.len() != client_key.len() {
            return None;
        }
        Some(format!("v={}", STANDARD.encode(hmac(&self.keys.server_key, all.as_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3: user "user", password "pencil".
    #[test]
    fn the_example_of_the_standard_holds_and_nothing_beside_it() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = keys("pencil", &salt, NonZeroU32::new(4_096).unwrap());
        let header = "n,,".to_owned();
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
        let exchange = Exchange {
            keys,
            header,
            client_first: "n=user,r=rOprNGfwEbeRWgbNEkqO".into(),
            server_first: format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
            nonce: nonce.clone(),
        };
        let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(exchange.finish(last.as_bytes()).as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        for (from, to) in [("dHzb", "dHzc"), ("biws", "eSws"), ("NlF$k0", "NlF$k1"), (",p=", ",q="), ("VQ=", "VQ")] {
            assert_eq!(exchange.finish(last.replace(from, to).as_bytes()), None, "{from}");
        }
        for first in ["", "p=tls-server-end-point,,n=,r=a", "n,,n=,r=", "n,,m=x,n=,r=a", "n,,n=a", "n,a=b,n=,r=a"] {
            assert!(challenge(first.as_bytes(), exchange.keys.clone(), &salt, 4_096, b"0").is_none(), "{first}");
        }
    }
}
