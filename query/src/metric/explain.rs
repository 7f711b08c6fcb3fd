//! How a value came about: the same plan and rule again, with what they read.

mod read;

use super::{Extent, compute, oee};
use crate::error::QueryError;
use andon_models::{
    Quality, SeriesId, Timestamp, Tqv, Value,
    catalog::Catalog,
    definition::{AssetIndex, MetricFormula, Property, PropertyIndex, PropertyKind},
    explained::ValueExplanation,
    expression::Reference,
    oee::{NoValue, OEE_RECORD, OeeFigure, OeeRecord},
    schedule::Assets,
    window::{Window, WindowSpec},
};
use datafusion::{catalog::TableProvider, prelude::SessionContext};
use std::{collections::BTreeMap, sync::Arc};

/// Series that are listed one by one; a plant's figure may be made of thousands.
const MAX_INPUTS: usize = 50;

/// How a value of an asset came about. `at` chooses the window, or the instant; what lies after `now` is not there yet.
///
/// # Errors
/// When the history cannot be read.
pub async fn explain(
    session: &SessionContext,
    points: Arc<dyn TableProvider>,
    catalog: &Arc<Catalog>,
    asset: AssetIndex,
    property: PropertyIndex,
    at: Timestamp,
    now: Timestamp,
) -> Result<ValueExplanation, QueryError> {
    let question = Question { session, points, catalog, asset, property };
    match &question.definition().kind {
        PropertyKind::Metric { window: spec, formula } => question.metric(spec, formula, at, now).await,
        _ => question.sample(at.min(now)).await,
    }
}

struct Question<'q> {
    session: &'q SessionContext,
    points: Arc<dyn TableProvider>,
    catalog: &'q Arc<Catalog>,
    asset: AssetIndex,
    property: PropertyIndex,
}

impl Question<'_> {
    fn definition(&self) -> &Property {
        &self.catalog.plant.model_of(self.asset).properties[self.property.0]
    }

    fn series(&self) -> Result<SeriesId, QueryError> {
        let series = self.catalog.series_of(self.asset, self.property);
        series.ok_or_else(|| QueryError::Internal(format!("{} has no series", self.definition().key)))
    }

    fn blank(&self, kind: &'static str) -> ValueExplanation {
        let (asset, property) = (self.catalog.plant.assets[self.asset.0].path.clone(), self.definition());
        ValueExplanation {
            sql: String::new(),
            asset,
            property: property.key.clone(),
            kind,
            unit: property.unit.clone(),
            spec: String::new(),
            window: None,
            provisional: false,
            value: Value::Null,
            stored: Value::Null,
            quality: Quality::Bad,
            time: None,
            formula: String::new(),
            steps: Vec::new(),
            coverage: None,
            flags: Vec::new(),
            inputs: Vec::new(),
            revision: None,
        }
    }

    async fn metric(
        &self,
        spec: &WindowSpec,
        formula: &MetricFormula,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<ValueExplanation, QueryError> {
        let mut explained = self.blank("metric");
        explained.spec = spec.name();
        let now = now.whole_second();
        let Some(whole) = spec.window_of(at, &self.catalog.plant.calendar).filter(|window| window.start < now) else {
            explained.flags.push("no_window".into());
            return Ok(explained);
        };
        let window = Window { start: whole.start, end: whole.end.min(now) };
        explained.window = Some(window);
        explained.provisional = window.end < whole.end;
        let model = self.catalog.plant.assets[self.asset.0].model;
        let series = self.series()?;
        let assets = Assets::these([self.catalog.plant.assets[self.asset.0].id]);
        let extent = Extent { model, spec, windows: &[window], assets };
        let computed = compute(self.session, self.points.clone(), self.catalog, &extent).await?;
        let own = computed.into_iter().find(|point| point.series == series).map(|point| point.tqv);
        explained.stored = read::stored(self.session, &self.points, series, whole.end).await?;
        explained.time = Some(window.end);
        if let Some(Tqv { quality, value, .. }) = own {
            (explained.quality, explained.value) = (quality, value);
        }
        let references = match formula {
            MetricFormula::Expression(expression) => {
                explained.formula = expression.text.to_string();
                explained.steps.push(format!("{} = {}", expression.text, explained.value));
                expression.references.clone()
            }
            MetricFormula::Oee(_) | MetricFormula::OeeRecord => {
                let records = oee::records(self.session, self.points.clone(), self.catalog, &[self.asset], &[window]).await?;
                if let Some((_, record)) = records.first() {
                    // A line's stored figures need those of its machines, which an open window does not have yet.
                    self.figures(formula, record, &mut explained);
                }
                oee::references(self.catalog, model, spec).into_iter().map(|(_, reference)| reference).collect()
            }
        };
        self.inputs(&references, window, &mut explained).await?;
        Ok(explained)
    }

    /// The formulas of an OEE figure and of those it is the product of.
    fn figures(&self, formula: &MetricFormula, record: &OeeRecord, explained: &mut ValueExplanation) {
        let MetricFormula::Oee(figure) = formula else { return };
        let totals = &record.totals;
        explained.value = totals.figure(*figure).map_or(Value::Null, Value::Double);
        explained.quality = if explained.value == Value::Null { Quality::Bad } else { Quality::Good };
        explained.formula = match figure {
            OeeFigure::Availability => "(running + micro-stops) ÷ planned busy time",
            OeeFigure::Performance => "pieces at the ideal rate ÷ (running + micro-stops)",
            OeeFigure::QualityRate => "good pieces ÷ all pieces",
            OeeFigure::Oee => "good pieces at the ideal rate ÷ planned busy time = A × P × Q",
        }
        .into();
        let shown = match figure {
            OeeFigure::Oee => vec![OeeFigure::Availability, OeeFigure::Performance, OeeFigure::QualityRate, OeeFigure::Oee],
            one => vec![*one],
        };
        explained.steps = shown.into_iter().map(|figure| totals.formula(figure)).collect();
        explained.coverage = Some(record.coverage());
        explained.flags.extend(totals.no_value().map(NoValue::word).map(str::to_owned));
        explained.flags.extend(totals.ideal_rate_suspect().then(|| "ideal_rate_suspect".to_owned()));
    }

    async fn sample(&self, at: Timestamp) -> Result<ValueExplanation, QueryError> {
        let definition = self.definition();
        let kind = match &definition.kind {
            PropertyKind::Attribute { .. } => "attribute",
            PropertyKind::Transform { .. } => "transform",
            _ => "measurement",
        };
        let mut explained = self.blank(kind);
        let instant = Window { start: at, end: at };
        self.inputs(&[Reference::Own(definition.key.clone())], instant, &mut explained).await?;
        if let Some(own) = explained.inputs.pop() {
            explained.quality = if own.carried == Value::Null { Quality::Bad } else { Quality::Good };
            (explained.value, explained.time) = (own.carried, own.carried_time);
            explained.stored = explained.value.clone();
        }
        if let PropertyKind::Transform { expression } = &definition.kind {
            explained.formula = expression.text.to_string();
            explained.steps.push(format!("{} = {}", expression.text, explained.value));
            self.inputs(&expression.references, instant, &mut explained).await?;
        }
        Ok(explained)
    }

    /// What references read in a window, and the statement that shows it.
    async fn inputs(
        &self,
        references: &[Reference],
        window: Window,
        explained: &mut ValueExplanation,
    ) -> Result<(), QueryError> {
        let mut names: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
        for series in references.iter().flat_map(|reference| self.catalog.resolve(self.asset, reference)) {
            let (Some(entry), Some(property)) = (self.catalog.entry(series), self.catalog.property(series)) else { continue };
            let asset = self.catalog.plant.assets[entry.asset.0].path.clone();
            if explained.inputs.len() == MAX_INPUTS {
                explained.flags.push("more_inputs".into());
                break;
            }
            names.entry(asset.clone()).or_default().push(entry.key.clone());
            let mut input = read::series(self.session, &self.points, self.catalog, series, window).await?;
            (input.asset, input.property, input.unit) = (asset, entry.key.clone(), property.unit.clone());
            if &*property.name == OEE_RECORD {
                // A record is a long text; that it is there says enough.
                for value in [&mut input.first, &mut input.last, &mut input.carried] {
                    *value = if *value == Value::Null { Value::Null } else { "its record".into() };
                }
            }
            explained.inputs.push(input);
        }
        let quoted = |text: &Arc<str>| format!("'{}'", text.replace('\'', "''"));
        let of_asset = |(asset, keys): (&Arc<str>, &Vec<Arc<str>>)| {
            let keys: Vec<String> = keys.iter().map(quoted).collect();
            format!("asset = {} AND property IN ({})", quoted(asset), keys.join(", "))
        };
        let assets: Vec<String> = names.iter().map(of_asset).collect();
        if !assets.is_empty() {
            explained.sql = format!(
                "SELECT time, asset, property, value, string, quality FROM samples \
                 WHERE time > '{}' AND time <= '{}' AND ({}) ORDER BY time",
                window.start,
                window.end,
                assets.join(" OR ")
            );
        }
        Ok(())
    }
}
