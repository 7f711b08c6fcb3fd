//! Texts with `{name}` in them: alarm messages with units, payloads with bare values.

use andon_models::{Quality, Value, expression::SlotValue};

/// Decimals of a number shown to a person, by size: four figures tell a plant's story, more are noise.
const FIGURES: i32 = 4;

/// A parsed text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// A line of the program's table.
    Line(usize),
    Asset,
    Detector,
    State,
}

/// What a text is filled with.
pub(crate) struct Filling<'a> {
    pub values: &'a [SlotValue],
    /// The unit of a table line; none writes bare values.
    pub unit: Option<&'a dyn Fn(usize) -> &'a str>,
    pub asset: &'a str,
    pub detector: &'a str,
    pub state: &'a str,
}

impl Template {
    /// Parses a text. Braces around anything that is not a known name stay as they are, so JSON needs no escapes.
    pub fn parse(text: &str, line: &mut dyn FnMut(&str) -> Option<usize>) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let name_end =
                rest[open + 1..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).map(|end| open + 1 + end);
            let closed = name_end.filter(|end| rest[*end..].starts_with('}'));
            let part = closed.and_then(|end| Some((end, part_of(&rest[open + 1..end], line)?)));
            let Some((end, part)) = part else {
                plain.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
                continue;
            };
            plain.push_str(&rest[..open]);
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(part);
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self { parts }
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The table lines it shows.
    pub fn lines(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Line(line) => Some(*line),
            Part::Text(_) | Part::Asset | Part::Detector | Part::State => None,
        })
    }

    /// The text with its values.
    pub fn fill(&self, filling: &Filling<'_>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Line(line) => text.push_str(&value_text(&filling.values[*line], filling.unit.map(|unit| unit(*line)))),
                Part::Asset => text.push_str(filling.asset),
                Part::Detector => text.push_str(filling.detector),
                Part::State => text.push_str(filling.state),
            }
        }
        text
    }
}

fn part_of(name: &str, line: &mut dyn FnMut(&str) -> Option<usize>) -> Option<Part> {
    match name {
        "asset" => Some(line(name).map_or(Part::Asset, Part::Line)),
        "detector" => Some(line(name).map_or(Part::Detector, Part::Line)),
        "state" => Some(line(name).map_or(Part::State, Part::Line)),
        _ => line(name).map(Part::Line),
    }
}

/// A value for people when a unit is given (empty: none), bare otherwise.
fn value_text(slot: &SlotValue, unit: Option<&str>) -> String {
    let Some(unit) = unit else { return slot.value.to_string() };
    if slot.value == Value::Null || slot.quality == Quality::Bad {
        return "(no value)".into();
    }
    let number = match &slot.value {
        Value::Double(number) => round_for_people(*number),
        value => value.to_string(),
    };
    let doubt = if slot.quality == Quality::Good { "" } else { " (uncertain)" };
    if unit.is_empty() { format!("{number}{doubt}") } else { format!("{number} {unit}{doubt}") }
}

/// Four figures, but never fewer than the whole number; no zeros at the end.
fn round_for_people(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    // The exponent of a finite double lies within ±324, so the cast is exact.
    let digits_before = number.abs().log10().floor() as i32 + 1;
    let decimals = usize::try_from(FIGURES - digits_before).unwrap_or(0).min(9);
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, people: bool) -> String {
        let values = [
            SlotValue { value: Value::Double(84.237_91), quality: Quality::Good, time: None },
            SlotValue { value: Value::Double(82.0), quality: Quality::Uncertain, time: None },
            SlotValue { value: Value::Null, quality: Quality::Bad, time: None },
            SlotValue { value: Value::Integer(36_000), quality: Quality::Good, time: None },
        ];
        let template =
            Template::parse(text, &mut |name| ["temp", "temp_limit", "dead", "parent.rate"].iter().position(|n| *n == name));
        let unit = |line: usize| if line == 3 { "" } else { "°C" };
        template.fill(&Filling {
            values: &values,
            unit: people.then_some(&unit),
            asset: "Line 1/Filler",
            detector: "overheat",
            state: "hot",
        })
    }

    #[test]
    fn people_read_rounded_values_with_units() {
        assert_eq!(fill("Bowl {temp} above {temp_limit}", true), "Bowl 84.24 °C above 82 °C (uncertain)");
        assert_eq!(fill("{dead}, {parent.rate}", true), "(no value), 36000");
        assert_eq!(fill("{detector} on {asset}: {state}", true), "overheat on Line 1/Filler: hot");
    }

    #[test]
    fn payloads_carry_bare_values_and_keep_their_braces() {
        assert_eq!(fill(r#"{"t": {temp}, "x": {}, "dead": {dead}}"#, false), r#"{"t": 84.23791, "x": {}, "dead": null}"#);
        assert_eq!(fill("{{temp} {nobody} {", false), "{84.23791 {nobody} {");
    }

    #[test]
    fn numbers_keep_four_figures() {
        let texts = [0.0, 0.000_123_456, 1.5, 12_345.678, -98.765_4, 1e300].map(round_for_people);
        assert_eq!(texts[..5], ["0", "0.0001235", "1.5", "12346", "-98.77"]);
        assert!(texts[5].len() > 300);
    }
}
