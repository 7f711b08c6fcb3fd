//! Identities. Every id is a newtype; ids of definitions are derived from names, so the same file gives the same ids.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use uuid::{Builder, Uuid, Variant, Version};

/// The namespace of all name-derived ids (UUID version 5, RFC 9562 section 5.5).
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_7a52_7c0e_5d5b_9a53_1b0c_7a4d_0e11);

/// Bytes that the name of most ids takes.
const USUAL_NAME: usize = 128;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Derives the id from a stable name.
            pub fn from_name(name: &(impl fmt::Display + ?Sized)) -> Self {
                let mut text = String::with_capacity(USUAL_NAME);
                write!(text, concat!($kind, ":{}"), name).expect("a text takes any name");
                Self(Uuid::new_v5(&NAMESPACE, text.as_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// Identifies an asset; derived from its path.
    AssetId, "asset"
);
uuid_id!(
    /// Identifies an asset model; derived from its name.
    ModelId, "model"
);
uuid_id!(
    /// Identifies a property of a model; derived from `model/property`.
    PropertyId, "property"
);
uuid_id!(
    /// Identifies an event; derived from what happened, so that a replayed decision has the same id.
    EventId, "event"
);
uuid_id!(
    /// Identifies a command; derived from the detector and its command count, so that it is never issued twice.
    CommandId, "command"
);

/// Where the two halves of an event's id begin: the first digits of pi.
const BEGINNINGS: [u64; 2] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344];

impl EventId {
    /// Derives the id of what a source did to an asset, from what tells it from everything else the source did there: its number
    /// and its instant. A UUID version 8 (RFC 9562 section 5.8): every decision needs one, and a digest of its name would take longer
    /// than the decision.
    pub fn of_decision(asset: AssetId, source: Self, number: u64, at: Timestamp) -> Self {
        let ((a, b), (c, d)) = (asset.0.as_u64_pair(), source.0.as_u64_pair());
        let words = [a, b, c, d, number, at.as_nanos().cast_unsigned()];
        let [high, low] = BEGINNINGS.map(|beginning| words.into_iter().fold(beginning, |mixed, word| mix(mixed ^ word)));
        let id = Builder::from_u128(u128::from(high) << 64 | u128::from(low));
        Self(id.with_version(Version::Custom).with_variant(Variant::RFC4122).into_uuid())
    }
}

/// Spreads every bit over all others, so that no two words give the same one: the finish of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// The history of one property of one asset. Small and dense, kept for ever in the series directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesId(pub u32);

/// One bound point of a source: dense, valid for one running definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_decision_has_an_id_of_its_own_and_the_same_one_again() {
        let mut ids = HashSet::new();
        let decided = |asset: &str, source: &str, number, second| {
            EventId::of_decision(AssetId::from_name(asset), EventId::from_name(source), number, Timestamp::from_seconds(second))
        };
        for asset in ["A", "B"] {
            for source in ["hot", "cold"] {
                for number in 0..100 {
                    ids.extend((0..100).map(|second| decided(asset, source, number, second)));
                }
            }
        }
        assert_eq!(ids.len(), 2 * 2 * 100 * 100);
        assert_eq!(decided("A", "hot", 7, 11).to_string(), "40a90402-9793-82dc-8b06-264882b58d58");
    }
}
