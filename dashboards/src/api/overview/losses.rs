//! What lines lost, by line and reason. A changeover stops every machine of a line and is one loss, not as many as there are machines: what
//! it cost is the time of the machine that holds the line back. A reason that this machine does not give itself counts with the one that stood
//! for it longest, and the answer says so. A line whose own controller counts and gives reasons says itself what it lost: `Packer: Carton jam`
//! is the carton jam of its packer.

use super::Figures;
use crate::{
    app::{App, Line},
    board::pace,
    machine::is_waiting,
    view::span_ms,
};
use andon_models::{definition::AssetIndex, oee::Loss};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use utoipa::ToSchema;

/// Losses that are listed: the vital few.
const MAX_LOSSES: usize = 5;

/// Time a line lost for one reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineLoss {
    /// The line's id.
    asset: String,
    /// Its path.
    path: String,
    /// The reason; empty if none was given.
    reason: String,
    /// For how long the machine `of` stood for it.
    duration_ms: u64,
    /// The path of the machine whose time counts: the one that holds the line back most, or the line itself where it has figures of its own.
    of: String,
    /// Whether that is the one that holds the line back most. Otherwise that one gives other reasons, and `of` stood for this one longest.
    bottleneck: bool,
    /// How many machines of the line stood for it.
    machines: usize,
}

/// The largest losses of all lines.
pub(super) fn losses(app: &App, figures: &Figures) -> Vec<LineLoss> {
    let rows = rows(app).into_iter().flat_map(|line| {
        let bottleneck = pace(app, &line, &figures.oee);
        let lost = |of: &AssetIndex| Some(Lost { of: *of, name: &app.asset(*of).name, losses: &figures.oee.get(of)?.losses });
        let machines: Vec<Lost<'_>> = line.machines.iter().filter_map(lost).collect();
        // A group repeats the losses of its machines; a line whose own controller counts does not.
        let counts = app.model(line.asset).oee.is_some() && !line.machines.contains(&line.asset);
        let own = Some(line.asset).filter(|_| counts).as_ref().and_then(lost);
        let asset = app.asset(line.asset);
        by_reason(bottleneck, &machines, own.as_ref()).into_iter().map(move |(reason, counted)| LineLoss {
            asset: asset.id.to_string(),
            path: asset.path.to_string(),
            reason: reason.to_string(),
            duration_ms: span_ms(counted.span),
            of: app.asset(counted.of).path.to_string(),
            bottleneck: Some(counted.of) == bottleneck,
            machines: counted.machines,
        })
    });
    let mut losses: Vec<LineLoss> = rows.collect();
    losses.sort_by(|a, b| b.duration_ms.cmp(&a.duration_ms).then_with(|| (&a.path, &a.reason).cmp(&(&b.path, &b.reason))));
    losses.truncate(MAX_LOSSES);
    losses
}

/// The lines, and whatever else has figures of its own: an area whose controller counts.
fn rows(app: &App) -> Vec<Line> {
    let shown = |asset: &AssetIndex| app.lines.iter().any(|line| line.asset == *asset || line.machines.contains(asset));
    let assets = (0..app.plant().assets.len()).map(AssetIndex);
    let others = assets.filter(|asset| app.model(*asset).oee.is_some() && !shown(asset));
    let alone = others.map(|asset| Line { asset, machines: vec![asset] });
    app.lines.iter().cloned().chain(alone).collect()
}

/// What a machine, or a line, lost.
#[derive(Clone, Copy)]
struct Lost<'a> {
    of: AssetIndex,
    name: &'a str,
    losses: &'a [Loss],
}

impl<'a> Lost<'a> {
    /// One reason may take from availability and from performance: long and short stops.
    fn counting(&self) -> impl Iterator<Item = &'a Loss> {
        self.losses.iter().filter(|loss| !loss.span.is_zero() && !is_waiting(&loss.reason))
    }
}

/// What counts for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    of: AssetIndex,
    span: Duration,
    machines: usize,
}

/// What a line lost by reason: the time of the bottleneck, or else of the machine that stood longest. `own` is the line itself, where it counts.
fn by_reason<'a>(bottleneck: Option<AssetIndex>, machines: &[Lost<'a>], own: Option<&Lost<'a>>) -> BTreeMap<Arc<str>, Counted> {
    let mut reasons: BTreeMap<Arc<str>, BTreeMap<AssetIndex, Duration>> = BTreeMap::new();
    // What such a line does not say of itself, it did not lose.
    let tells = own.filter(|own| own.counting().any(|loss| !loss.reason.is_empty()));
    for lost in machines.iter().chain(own) {
        for loss in lost.counting() {
            let Some(reason) = tells.map_or_else(|| Some(loss.reason.clone()), |line| told_by(line, lost.name, &loss.reason))
            else {
                continue;
            };
            *reasons.entry(reason).or_default().entry(lost.of).or_default() += loss.span;
        }
    }
    let is_machine = |of: &&AssetIndex| machines.iter().any(|machine| machine.of == **of);
    let counted = |spans: BTreeMap<AssetIndex, Duration>| {
        let stood = spans.keys().filter(is_machine).count();
        let own = bottleneck.and_then(|of| Some((of, *spans.get(&of)?)));
        // Of equals the first in the file.
        let longest = || spans.iter().map(|(of, span)| (*of, *span)).rev().max_by_key(|(_, span)| *span);
        own.or_else(longest).map(|(of, span)| Counted { of, span, machines: stood })
    };
    reasons.into_iter().filter_map(|(reason, spans)| Some((reason, counted(spans)?))).collect()
}

/// The reason of a line that means a reason of one of its machines: the same, or with the machine's name before it.
fn told_by(line: &Lost<'_>, machine: &str, reason: &str) -> Option<Arc<str>> {
    let means = |said: &str| {
        let named = said.split_once(": ").is_some_and(|(name, rest)| rest == reason && machine.starts_with(name));
        said == reason || named
    };
    line.counting().find(|loss| means(&loss.reason)).map(|loss| loss.reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_models::oee::LossClass;

    const LINE: AssetIndex = AssetIndex(0);
    const FILLER: AssetIndex = AssetIndex(1);
    const CAPPER: AssetIndex = AssetIndex(2);
    const PACKER: AssetIndex = AssetIndex(3);

    fn loss(reason: &str, minutes: u64) -> Loss {
        let span = Duration::from_secs(minutes * 60);
        Loss { reason: reason.into(), class: LossClass::Availability, planned: false, span, count: 1, units: None }
    }

    fn lost(of: AssetIndex, losses: &[Loss]) -> Lost<'_> {
        let name = ["Line 2", "Filler 2", "Capper 2", "Packer 2"][of.0];
        Lost { of, name, losses }
    }

    /// `reason minutes of machines`, in the order of the reasons.
    fn check(bottleneck: Option<AssetIndex>, machines: &[Lost<'_>], own: Option<&[Loss]>, expected: &[&str]) {
        let found = by_reason(bottleneck, machines, own.map(|own| lost(LINE, own)).as_ref());
        let told: Vec<String> = found
            .iter()
            .map(|(reason, counted)| {
                format!("{reason} {} of {} × {}", counted.span.as_secs() / 60, counted.of.0, counted.machines)
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_changeover_of_a_line_is_one_loss_of_as_many_minutes_as_its_bottleneck_stood() {
        let [filler, capper, packer] = [[loss("Changeover", 28)], [loss("Changeover", 40)], [loss("Changeover", 31)]];
        let machines = [lost(FILLER, &filler), lost(CAPPER, &capper), lost(PACKER, &packer)];
        check(Some(FILLER), &machines, None, &["Changeover 28 of 1 × 3"]);
        check(None, &machines, None, &["Changeover 40 of 2 × 3"]);
    }

    #[test]
    fn a_reason_that_the_bottleneck_does_not_give_counts_where_it_was_longest() {
        let filler = [loss("Blocked by Capper", 20), loss("Jam", 3), loss("Jam", 2)];
        let capper = [loss("Cap jam", 18), loss("Jam", 9)];
        let packer = [loss("Cap jam", 18), loss("Starved", 17), loss("Film", 0)];
        let machines = [lost(FILLER, &filler), lost(CAPPER, &capper), lost(PACKER, &packer)];
        check(Some(FILLER), &machines, None, &["Cap jam 18 of 2 × 2", "Jam 5 of 1 × 2"]);
    }

    #[test]
    fn a_line_that_counts_for_itself_says_itself_what_it_lost() {
        let line = [loss("Changeover", 26), loss("No order", 4), loss("Packer: Carton jam", 12)];
        let [filler, packer] = [[loss("Changeover", 28), loss("Carton jam", 2)], [loss("Carton jam", 18), loss("Film", 9)]];
        let machines = [lost(FILLER, &filler), lost(PACKER, &packer)];
        let expected = ["Changeover 26 of 0 × 1", "No order 4 of 0 × 0", "Packer: Carton jam 12 of 0 × 1"];
        check(Some(LINE), &machines, Some(&line), &expected);
        // One that stands and does not say why leaves that to its machines.
        check(
            Some(LINE),
            &machines,
            Some(&[loss("", 30)]),
            &[" 30 of 0 × 0", "Carton jam 18 of 3 × 2", "Changeover 28 of 1 × 1", "Film 9 of 3 × 1"],
        );
    }
}
