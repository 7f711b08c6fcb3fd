//! Which series feed which input of which asset.

use andon_models::{SeriesId, Value, catalog::Catalog, definition::AssetIndex, expression::Reference};
use std::collections::BTreeMap;

/// The inputs of one plan: a slot is one reference of the model's metrics, numbered across all of them.
pub struct Inputs {
    /// Every series that is read, and the assets (by position) and slots it feeds.
    pub feeds: BTreeMap<SeriesId, Vec<Feed>>,
    /// The values of attributes: they hold at any time of which nothing else is stored.
    pub constants: BTreeMap<SeriesId, Value>,
}

/// One place a series goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Position among the assets of the model.
    pub asset: i32,
    /// Number of the slot.
    pub slot: i32,
}

impl Inputs {
    /// Resolves every slot for every asset.
    pub fn new(catalog: &Catalog, assets: &[AssetIndex], slots: &[Reference]) -> Self {
        let mut feeds: BTreeMap<SeriesId, Vec<Feed>> = BTreeMap::new();
        for (asset, index) in (0..).zip(assets) {
            for (slot, reference) in (0..).zip(slots) {
                for series in catalog.resolve(*index, reference) {
                    feeds.entry(series).or_default().push(Feed { asset, slot });
                }
            }
        }
        Self::with(catalog, feeds)
    }

    /// One series by itself.
    pub fn of_series(catalog: &Catalog, series: SeriesId) -> Self {
        Self::with(catalog, BTreeMap::from([(series, vec![Feed { asset: 0, slot: 0 }])]))
    }

    fn with(catalog: &Catalog, feeds: BTreeMap<SeriesId, Vec<Feed>>) -> Self {
        let constant = |series: &SeriesId| Some((*series, catalog.attribute(*series)?));
        Self { constants: feeds.keys().filter_map(constant).collect(), feeds }
    }
}
