//! How a back-test stands, as it is shown.

use crate::{api::definition::DiagnosticView, error::ErrorDetail, strip::StateSpan, view::Time};
use andon_models::{Timestamp, window::Window};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// How a back-test stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BacktestState {
    /// It plays.
    Running,
    /// It played all of it.
    Done,
    /// It could not go on.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

/// A back-test with what it found so far.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BacktestView {
    /// Its id.
    pub id: String,
    /// What is played: `model.detector`.
    pub detector: String,
    /// From when on.
    pub(crate) from: Time,
    /// Up to when.
    pub(crate) to: Time,
    /// Only events of this asset's instance are listed; null for all.
    #[schema(value_type = Option<String>)]
    pub asset: Option<Arc<str>>,
    /// How it stands.
    pub state: BacktestState,
    /// Which share of it is played, 0 to 1.
    pub progress: f64,
    /// Values that went through so far.
    pub samples: u64,
    /// Why it failed; empty otherwise.
    pub error: String,
    /// The definition that runs, then the edited one if there is one.
    pub sides: Vec<BacktestSide>,
    /// What only one of them raises, in words; empty without an edited one, or before the end.
    pub difference: String,
    /// What is doubtful in the edited definition.
    pub diagnostics: Vec<DiagnosticView>,
}

/// What one definition does.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct BacktestSide {
    /// `now` or `edited`.
    pub name: String,
    /// Values that went through.
    pub samples: u64,
    /// Moves.
    pub transitions: u64,
    /// Alarms raised.
    pub raised: u64,
    /// Alarms that were no longer there.
    pub cleared: u64,
    /// Notifications it asked for.
    pub notifications: u64,
    /// Writes it would have sent.
    pub commands: u64,
    /// Writes that a rule refused.
    pub refused: u64,
    /// Guards that could not be evaluated.
    pub failures: u64,
    /// What happened, in order of time: the first so many.
    pub events: Vec<BacktestEvent>,
    /// Whether more happened than is listed.
    pub truncated: bool,
    /// Where instances were, by path of their asset: the first so many.
    pub(crate) strips: Vec<BacktestStrip>,
}

/// Something that would have happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BacktestEvent {
    pub(crate) time: Time,
    /// Path of its asset; empty for the system itself.
    #[schema(value_type = String)]
    pub asset: Arc<str>,
    /// What kind of event it is: `transition`, `alarm`, `command`, `notification`, `system` and others.
    pub kind: String,
    /// For a move or a change of the alarm: the state before.
    pub from: Option<String>,
    /// For a move or a change of the alarm: the state after.
    pub to: Option<String>,
    /// For a change of the alarm: what was done.
    pub verb: Option<String>,
    /// In one line.
    pub text: String,
}

/// Where an instance was.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct BacktestStrip {
    /// Path of its asset.
    #[schema(value_type = String)]
    pub(crate) asset: Arc<str>,
    /// Spans of time one after another.
    pub(crate) spans: Vec<StateSpan>,
    /// Whether later spans are left out.
    pub(crate) truncated: bool,
}

/// Why it did not begin: another one runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Running {
    error: ErrorDetail,
    /// The one that runs.
    running: String,
}

/// Why it did not begin: the definition has mistakes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Unfit {
    error: ErrorDetail,
    /// The mistakes; empty when something else is wrong.
    diagnostics: Vec<DiagnosticView>,
}

impl Running {
    pub(super) fn of(id: String) -> Self {
        let message = format!("the back-test {id} is running, and only one runs at a time");
        Self { error: ErrorDetail::new(message, "wait for it, or end it with DELETE".into()), running: id }
    }
}

impl Unfit {
    pub(super) fn of(diagnostics: Vec<DiagnosticView>) -> Self {
        let message = "the edited definition cannot be used".into();
        Self { error: ErrorDetail::new(message, "mend what `diagnostics` says".into()), diagnostics }
    }
}

impl BacktestView {
    /// A back-test that begins.
    pub fn begun(id: String, order: &super::BacktestOrder, sides: &[&str], diagnostics: Vec<DiagnosticView>) -> Self {
        let side = |name: &&str| BacktestSide { name: (*name).to_owned(), ..BacktestSide::default() };
        Self {
            id,
            detector: order.detector.clone(),
            from: Time(order.window.start),
            to: Time(order.window.end),
            asset: order.asset.clone(),
            state: BacktestState::Running,
            progress: 0.0,
            samples: 0,
            error: String::new(),
            sides: sides.iter().map(side).collect(),
            difference: String::new(),
            diagnostics,
        }
    }
}

impl BacktestEvent {
    /// An event without states.
    pub fn new(time: Timestamp, asset: Arc<str>, kind: &str, text: String) -> Self {
        Self { time: Time(time), asset, kind: kind.to_owned(), from: None, to: None, verb: None, text }
    }

    /// When it would have happened.
    pub fn time(&self) -> Timestamp {
        self.time.0
    }
}

impl BacktestSide {
    /// Says where an instance was, from when it moved to which state, in order of time; `more` when later moves are left out.
    pub fn add_strip(&mut self, asset: Arc<str>, moves: &[(Timestamp, Arc<str>)], more: bool, window: Window) {
        let ends = moves.iter().skip(1).map(|(time, _)| *time).chain([window.end]);
        let spans = moves.iter().zip(ends).map(|((from, state), to)| StateSpan {
            from: Time((*from).max(window.start)),
            to: Time(to),
            state: state.clone(),
        });
        let spans = spans.filter(|span| span.to.0 > span.from.0).collect();
        self.strips.push(BacktestStrip { asset, spans, truncated: more });
    }
}
