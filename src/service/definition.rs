//! The definition of a plant as files: where they are, what names them, and what is kept of earlier ones.

pub mod journal;
pub mod place;
pub mod versions;

use andon_dashboards::FileText;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Bytes of a hash that are kept: 128 bits name a text well enough.
const HASH_BYTES: usize = 16;

/// Files by name and text, sorted by name.
pub type Files = Vec<(String, String)>;

/// Files, and who wants the plant to run with them.
#[derive(Clone, Debug, Default)]
pub struct Edition {
    /// The files.
    pub files: Files,
    /// Who; empty when they were found at a start.
    pub by: String,
    /// Why.
    pub comment: String,
}

impl Edition {
    /// What was found at a start.
    pub fn found(files: &[(String, String)]) -> Self {
        Self { files: files.to_vec(), ..Self::default() }
    }
}

/// Names files: another name or text of one of them has another hash.
pub fn hash(files: &[(String, String)]) -> String {
    let mut sha = Sha256::new();
    for (name, text) in files {
        for part in [name, text] {
            sha.update((part.len() as u64).to_le_bytes());
            sha.update(part.as_bytes());
        }
    }
    let digest = sha.finalize();
    digest.iter().take(HASH_BYTES).fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Files as the API shows them.
pub fn shown(files: &[(String, String)]) -> Vec<FileText> {
    files.iter().map(|(name, text)| FileText { name: name.clone(), text: text.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn a_hash_names_names_and_texts() {
        let of = |files: &[(&str, &str)]| {
            hash(&files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>())
        };
        let same = of(&[("a.yaml", "x"), ("b.yaml", "y")]);
        assert_eq!(same, of(&[("a.yaml", "x"), ("b.yaml", "y")]));
        assert_eq!(same.len(), 32);
        for other in [&[("a.yaml", "x")][..], &[("a.yaml", "xb"), (".yaml", "y")], &[("a.yaml", "x"), ("b.yaml", "z")]] {
            assert_ne!(same, of(other));
        }
    }
}
