//! AWS IoT SiteWise asset models and assets: read as they are written there, turned into a plant file, and written back.
//!
//! The way in: documents walked member by member with their JSON path ([`read`]) → gathered over several files, where later ones build
//! on, move or rename what earlier ones made ([`gathered`]) → properties of components written out ([`flatten`]) → the tree of a plant
//! file ([`lower`]), whose text [`crate::import`] writes and checks. The way back is [`export`].
//!
//! JSON is walked, not deserialized into structs: requests, answers, bulk files and CloudFormation name the same thing differently, and
//! every mistake is named with its path. Nothing here makes an input panic; what cannot be carried over is a finding.

mod export;
mod flatten;
mod gathered;
mod lower;
mod names;
mod parts;
mod read;
mod thing;
mod window;

pub use export::{Exported, export};
pub(crate) use gathered::Gathered;
pub(crate) use lower::{Lowered, Origin, Skipped, lower};
pub(crate) use names::key as key_of;
pub(crate) use parts::DataType;
pub(crate) use read::Reader;

/// Models of one import; AWS allows 100 per account.
pub const MAX_MODELS: usize = 10_000;
/// Assets of one import: as many as a plant may have.
pub const MAX_ASSETS: usize = 100_000;
/// Properties of one model, those of its components written out; AWS allows 200. A plant file's model may have as many.
pub const MAX_PROPERTIES: usize = 5_000;
/// Composites in composites; AWS allows two levels.
pub const MAX_COMPOSITE_DEPTH: usize = 10;
/// Longest name in characters. AWS allows 256.
pub const MAX_NAME: usize = 256;
/// Longest formula in bytes. AWS allows 1,024 characters.
pub const MAX_FORMULA: usize = 4 << 10;
/// Most variables of a formula. AWS allows 10.
pub const MAX_VARIABLES: usize = 64;
