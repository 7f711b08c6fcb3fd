//! Identities. Every id is a newtype; ids of definitions are derived from names, so the same file gives the same ids.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use uuid::Uuid;

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

/// The history of one property of one asset. Small and dense, kept for ever in the series directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesId(pub u32);

/// One bound point of a source: dense, valid for one running definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagId(pub u32);
