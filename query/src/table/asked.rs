//! What a query's conditions say about events: their time, and the texts that say what they are about. Enough to leave out files and
//! buffered events.
//!
//! It never leaves out an event that the conditions would keep; the conditions themselves are applied again above the scan.

use super::prune::{Prune, plain, plain_column};
use andon_models::event::Event;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, expr::InList, utils::split_conjunction};
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

/// What an event is about: a text of it that people ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Its kind.
    Kind,
    /// The asset, by id.
    AssetId,
    /// The asset by path, or the key of an instance.
    Asset,
    /// The detector.
    Detector,
}

impl About {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kind, Self::AssetId, Self::Asset, Self::Detector];

    /// The names of their columns, and of the one of time.
    pub const COLUMNS: [&str; 5] = ["kind", "asset_id", "asset", "detector", "time"];

    /// The text of an event; empty where the column is null.
    pub fn of(self, event: &Event) -> Cow<'_, str> {
        match self {
            Self::Kind => event.body.kind().into(),
            Self::AssetId => event.asset.map_or(Cow::Borrowed(""), |asset| asset.to_string().into()),
            Self::Asset => (&*event.asset_path).into(),
            Self::Detector => (&*event.detector).into(),
        }
    }

    fn of_column(name: &str) -> Option<Self> {
        Self::ALL.into_iter().zip(Self::COLUMNS).find(|(_, column)| *column == name).map(|(about, _)| about)
    }
}

/// The events that a query can need.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// When they happened.
    pub times: Prune,
    texts: [Option<BTreeSet<Arc<str>>>; About::ALL.len()],
}

impl Asked {
    /// Reads conditions; what it does not understand leaves nothing out.
    pub fn of(conditions: &[Expr]) -> Self {
        let mut asked = Self { times: Prune { series: None, qualities: None, ..Prune::of(conditions) }, ..Self::default() };
        for condition in conditions.iter().flat_map(|condition| split_conjunction(condition)) {
            if let Some((about, texts)) = texts(condition) {
                let known = &mut asked.texts[about as usize];
                *known = Some(match known.take() {
                    None => texts,
                    Some(known) => known.intersection(&texts).cloned().collect(),
                });
            }
        }
        asked
    }

    /// The texts that are asked for; none means all. The empty one stands for null.
    pub fn texts(&self, about: About) -> Option<&BTreeSet<Arc<str>>> {
        self.texts[about as usize].as_ref()
    }

    /// Whether an event may be needed.
    pub fn means(&self, event: &Event) -> bool {
        let said = |about: About| self.texts(about).is_none_or(|texts| texts.contains(&*about.of(event)));
        self.times.touches(event.time, event.time) && About::ALL.into_iter().all(said)
    }
}

/// The texts that a condition on one column leaves: `asset = 'M-1'`, `kind in ('alarm', 'deed')`, `asset is null`.
fn texts(condition: &Expr) -> Option<(About, BTreeSet<Arc<str>>)> {
    let about = |expression: &Expr| About::of_column(&plain_column(expression)?.name);
    // A comparison with null or with an empty text, which is not stored, holds for nothing.
    let text = |expression: &Expr| match plain(expression) {
        Expr::Literal(value, _) => Some(value.try_as_str()?.filter(|text| !text.is_empty()).map(Arc::from)),
        _ => None,
    };
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match about(left) {
            Some(about) => Some((about, text(right)?.into_iter().collect())),
            None => Some((about(right)?, text(left)?.into_iter().collect())),
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let ((about, mut left), (other, right)) = (texts(left)?, texts(right)?);
            left.extend(right);
            (about == other).then_some((about, left))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            Some((about(expr)?, list.iter().map(text).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect()))
        }
        Expr::IsNull(expression) => Some((about(expression)?, [Arc::from("")].into())),
        _ => None,
    }
}
