//! Whose figures of a closed window do not hold any more, and why: a late value of one machine costs that machine's windows, not
//! those of its thousand brothers.

use crate::AssetId;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Assets that are named one by one; more of them are all assets of their model.
const MAX_NAMED: usize = 64;
/// The cause where no single one can be named any more.
const MANY: &str = "late data of many machines";

/// All assets of a model, or some of them in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Assets(Option<Arc<[AssetId]>>);

impl Assets {
    /// All assets.
    pub const ALL: Self = Self(None);

    /// These assets; all of them if they are many.
    pub fn these(assets: impl IntoIterator<Item = AssetId>) -> Self {
        let mut named: Vec<AssetId> = assets.into_iter().take(MAX_NAMED + 1).collect();
        if named.len() > MAX_NAMED {
            return Self::ALL;
        }
        named.sort_unstable();
        named.dedup();
        Self(Some(named.into()))
    }

    /// Whether an asset is one of them.
    pub fn contains(&self, asset: AssetId) -> bool {
        self.0.as_ref().is_none_or(|named| named.binary_search(&asset).is_ok())
    }

    /// How many they are, one at least; `all` counts those of the model.
    pub fn count(&self, all: impl Fn() -> usize) -> u32 {
        let count = self.0.as_ref().map_or_else(all, |named| named.len());
        u32::try_from(count).unwrap_or(u32::MAX).max(1)
    }

    /// These and those.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (Some(one), Some(two)) if one == two => self.clone(),
            (Some(one), Some(two)) => {
                let mut both = one.to_vec();
                both.extend(two.iter().filter(|asset| one.binary_search(asset).is_err()));
                Self::these(both)
            }
            _ => Self::ALL,
        }
    }
}

/// The assets whose figures of one window are to be computed again, each with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Why all of them are, if they are.
    #[serde(default, alias = "cause", skip_serializing_if = "Option::is_none")]
    all: Option<Arc<str>>,
    /// Why single ones are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    each: BTreeMap<AssetId, Arc<str>>,
}

impl Touched {
    /// These assets for this reason.
    pub fn new(assets: &Assets, cause: &Arc<str>) -> Self {
        let mut touched = Self::default();
        touched.add(assets, cause);
        touched
    }

    /// Adds assets; the first reason of each stays. Whether that changed anything.
    pub fn add(&mut self, assets: &Assets, cause: &Arc<str>) -> bool {
        let before = (self.all.is_some(), self.each.len());
        match &assets.0 {
            None => _ = self.all.get_or_insert_with(|| cause.clone()),
            Some(_) if self.all.is_some() => {}
            Some(named) => named.iter().for_each(|asset| _ = self.each.entry(*asset).or_insert_with(|| cause.clone())),
        }
        if self.each.len() > MAX_NAMED {
            self.all.get_or_insert_with(|| MANY.into());
        }
        before != (self.all.is_some(), self.each.len())
    }

    /// Whether all of these are among them.
    pub fn covers(&self, assets: &Assets) -> bool {
        let named = || assets.0.as_ref().is_some_and(|named| named.iter().all(|asset| self.each.contains_key(asset)));
        self.all.is_some() || named()
    }

    /// Which they are.
    pub fn assets(&self) -> Assets {
        if self.all.is_some() { Assets::ALL } else { Assets::these(self.each.keys().copied()) }
    }

    /// Why the figures of an asset are computed again.
    pub fn cause(&self, asset: AssetId) -> Option<&Arc<str>> {
        self.each.get(&asset).or(self.all.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(number: usize) -> AssetId {
        AssetId::from_name(&number.to_string())
    }

    #[test]
    fn the_first_reason_of_an_asset_stays_and_many_are_all() {
        let cause: Arc<str> = "late data of A temp".into();
        let mut touched = Touched::new(&Assets::these([asset(0)]), &cause);
        assert!(!touched.add(&Assets::these([asset(0)]), &"another".into()));
        assert!(touched.add(&Assets::these([asset(1)]), &"another".into()));
        assert_eq!(
            [0, 1, 2].map(|number| touched.cause(asset(number)).map(|cause| &**cause)),
            [Some("late data of A temp"), Some("another"), None]
        );
        assert!(touched.covers(&Assets::these([asset(1), asset(0)])) && !touched.covers(&Assets::these([asset(2)])));
        assert!(!touched.covers(&Assets::ALL));
        (2..=MAX_NAMED).for_each(|number| _ = touched.add(&Assets::these([asset(number)]), &cause));
        assert_eq!(touched.assets(), Assets::ALL);
        assert_eq!(touched.cause(asset(999)).map(|cause| &**cause), Some(MANY));
        assert_eq!(touched.cause(asset(0)).map(|cause| &**cause), Some("late data of A temp"));
    }

    #[test]
    fn what_an_earlier_version_kept_concerns_all() {
        let touched: Touched = serde_json::from_str(r#"{"cause":"late data of A temp"}"#).unwrap();
        assert_eq!(touched, Touched::new(&Assets::ALL, &"late data of A temp".into()));
    }

    #[test]
    fn joined_assets_are_those_of_both() {
        let [one, two, both] = [&[0][..], &[1], &[1, 0]].map(|numbers| Assets::these(numbers.iter().copied().map(asset)));
        assert_eq!(one.join(&two), both);
        assert_eq!(one.join(&Assets::ALL), Assets::ALL);
        assert!(both.contains(asset(1)) && !one.contains(asset(1)) && Assets::ALL.contains(asset(7)));
        assert_eq!(Assets::these((0..=MAX_NAMED).map(asset)), Assets::ALL);
    }
}
