//! Units of the plant floor: what they measure, and how one becomes another.
//!
//! A unit is a product of known ones (`kg/m³`, `l/min`, `m/s²`, `kWh/t`) or a word of the plant's own, which is equal to itself only
//! (`bottles`, `bar(g)`). Two known units of one dimension differ by a factor, temperatures by an offset as well. Pieces have no
//! dimension, and so have %, ‰ and ppm, which differ from a plain number by their factor.

use std::{fmt, sync::Arc};

/// Powers of metre, kilogram, second, kelvin and ampere.
type Dimension = [i8; 5];

/// A unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    text: Arc<str>,
    /// None for a word of the plant's own.
    known: Option<Known>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Known {
    dimension: Dimension,
    /// One of this is so many of the SI unit.
    factor: f64,
    /// Zero of this, in the SI unit: of °C and °F only.
    offset: f64,
    /// A difference of temperatures: its zero has no place on the scale.
    difference: bool,
}

/// Two factors closer than this, relatively, are one.
const SAME: f64 = 1e-9;

/// Longest unit that is taken apart; what is longer is a word.
const MAX_TEXT: usize = 40;

const NONE: Dimension = [0; 5];
const LENGTH: Dimension = [1, 0, 0, 0, 0];
const AREA: Dimension = [2, 0, 0, 0, 0];
const VOLUME: Dimension = [3, 0, 0, 0, 0];
const MASS: Dimension = [0, 1, 0, 0, 0];
const TIME: Dimension = [0, 0, 1, 0, 0];
const FREQUENCY: Dimension = [0, 0, -1, 0, 0];
const TEMPERATURE: Dimension = [0, 0, 0, 1, 0];
const CURRENT: Dimension = [0, 0, 0, 0, 1];
const CHARGE: Dimension = [0, 0, 1, 0, 1];
const PRESSURE: Dimension = [-1, 1, -2, 0, 0];
const FORCE: Dimension = [1, 1, -2, 0, 0];
const ENERGY: Dimension = [2, 1, -2, 0, 0];
const POWER: Dimension = [2, 1, -3, 0, 0];
const VOLTAGE: Dimension = [2, 1, -3, 0, -1];
const RESISTANCE: Dimension = [2, 1, -3, 0, -2];

/// Zero of the Celsius scale, in K.
const CELSIUS: f64 = 273.15;
/// Kelvin in a degree Fahrenheit.
const FAHRENHEIT: f64 = 5.0 / 9.0;
/// Pascal in a pound per square inch.
const PSI: f64 = 6_894.757_293_168_361;

/// Known units: name, dimension, factor. Sources: SI brochure (BIPM), NIST SP 811 for inch, pound and their like.
const UNITS: &[(&str, Dimension, f64)] = &[
    ("1", NONE, 1.0),
    ("%", NONE, 0.01),
    ("‰", NONE, 1e-3),
    ("ppm", NONE, 1e-6),
    ("pcs", NONE, 1.0),
    ("pc", NONE, 1.0),
    ("piece", NONE, 1.0),
    ("pieces", NONE, 1.0),
    ("rad", NONE, 1.0),
    ("°", NONE, std::f64::consts::PI / 180.0),
    ("nm", LENGTH, 1e-9),
    ("µm", LENGTH, 1e-6),
    ("um", LENGTH, 1e-6),
    ("mm", LENGTH, 1e-3),
    ("cm", LENGTH, 1e-2),
    ("dm", LENGTH, 1e-1),
    ("m", LENGTH, 1.0),
    ("km", LENGTH, 1e3),
    ("in", LENGTH, 0.0254),
    ("ft", LENGTH, 0.3048),
    ("ha", AREA, 1e4),
    ("ml", VOLUME, 1e-6),
    ("mL", VOLUME, 1e-6),
    ("cl", VOLUME, 1e-5),
    ("dl", VOLUME, 1e-4),
    ("l", VOLUME, 1e-3),
    ("L", VOLUME, 1e-3),
    ("hl", VOLUME, 0.1),
    ("gal", VOLUME, 0.003_785_411_784),
    ("mg", MASS, 1e-6),
    ("g", MASS, 1e-3),
    ("kg", MASS, 1.0),
    ("t", MASS, 1e3),
    ("lb", MASS, 0.453_592_37),
    ("oz", MASS, 0.028_349_523_125),
    ("ns", TIME, 1e-9),
    ("µs", TIME, 1e-6),
    ("us", TIME, 1e-6),
    ("ms", TIME, 1e-3),
    ("s", TIME, 1.0),
    ("min", TIME, 60.0),
    ("h", TIME, 3_600.0),
    ("d", TIME, 86_400.0),
    ("Hz", FREQUENCY, 1.0),
    ("kHz", FREQUENCY, 1e3),
    ("MHz", FREQUENCY, 1e6),
    ("rpm", FREQUENCY, 1.0 / 60.0),
    ("K", TEMPERATURE, 1.0),
    ("°C", TEMPERATURE, 1.0),
    ("degC", TEMPERATURE, 1.0),
    ("°F", TEMPERATURE, FAHRENHEIT),
    ("degF", TEMPERATURE, FAHRENHEIT),
    ("µA", CURRENT, 1e-6),
    ("mA", CURRENT, 1e-3),
    ("A", CURRENT, 1.0),
    ("kA", CURRENT, 1e3),
    ("Ah", CHARGE, 3_600.0),
    ("Pa", PRESSURE, 1.0),
    ("hPa", PRESSURE, 1e2),
    ("kPa", PRESSURE, 1e3),
    ("MPa", PRESSURE, 1e6),
    ("mbar", PRESSURE, 1e2),
    ("bar", PRESSURE, 1e5),
    ("psi", PRESSURE, PSI),
    ("N", FORCE, 1.0),
    ("kN", FORCE, 1e3),
    ("Nm", ENERGY, 1.0),
    ("J", ENERGY, 1.0),
    ("kJ", ENERGY, 1e3),
    ("MJ", ENERGY, 1e6),
    ("GJ", ENERGY, 1e9),
    ("Wh", ENERGY, 3.6e3),
    ("kWh", ENERGY, 3.6e6),
    ("MWh", ENERGY, 3.6e9),
    ("GWh", ENERGY, 3.6e12),
    ("mW", POWER, 1e-3),
    ("W", POWER, 1.0),
    ("kW", POWER, 1e3),
    ("MW", POWER, 1e6),
    ("VA", POWER, 1.0),
    ("kVA", POWER, 1e3),
    ("var", POWER, 1.0),
    ("kvar", POWER, 1e3),
    ("mV", VOLTAGE, 1e-3),
    ("V", VOLTAGE, 1.0),
    ("kV", VOLTAGE, 1e3),
    ("Ω", RESISTANCE, 1.0),
    ("Ohm", RESISTANCE, 1.0),
    ("kΩ", RESISTANCE, 1e3),
];

/// How two units stand to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Numbers of one are numbers of the other.
    Same,
    /// They measure the same, and one can be converted to the other.
    Convertible,
    /// They measure different things.
    Different,
    /// One of them is a word of the plant's own.
    Unknown,
}

/// How numbers of one unit become numbers of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    /// What they are in.
    pub from: Unit,
    /// What they shall be in.
    pub to: Unit,
    factor: f64,
    offset: f64,
}

impl Conversion {
    /// From one unit to another.
    ///
    /// # Errors
    /// Why it cannot be, with the way out.
    pub fn new(from: &str, to: &str) -> Result<Self, (String, String)> {
        let (from, to) = (Unit::new(from), Unit::new(to));
        for unit in [&from, &to] {
            if unit.known.is_none() {
                let hint = "known are the units of SI and of the plant floor: bar, psi, °F, l/min, kWh, 1/h …; see docs/expressions.md";
                return Err((format!("`{unit}` is no unit that could be converted"), hint.into()));
            }
        }
        let Some((factor, offset)) = from.conversion(&to) else {
            return Err((format!("{from} cannot become {to}: they measure different things"), String::new()));
        };
        Ok(Self { from, to, factor, offset })
    }

    /// What a number is multiplied with, and what is added then.
    pub fn line(&self) -> (f64, f64) {
        (self.factor, self.offset)
    }

    /// A number of the other unit.
    pub fn apply(&self, number: f64) -> f64 {
        number * self.factor + self.offset
    }
}

impl Unit {
    /// Reads a unit. What is not known stays a word.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        Self { text: text.into(), known: if text.len() <= MAX_TEXT { parse(text) } else { None } }
    }

    /// A plain number.
    pub fn one() -> Self {
        Self::new("1")
    }

    /// How it stands to another unit.
    pub fn relation(&self, other: &Self) -> Relation {
        match (self.known, other.known) {
            _ if self.text == other.text => Relation::Same,
            (Some(one), Some(two)) if one.dimension != two.dimension => Relation::Different,
            (Some(one), Some(two)) => {
                let offset = one.difference || two.difference || (one.offset - two.offset).abs() < SAME;
                let factor = (one.factor - two.factor).abs() <= SAME * one.factor.abs();
                if offset && factor { Relation::Same } else { Relation::Convertible }
            }
            _ => Relation::Unknown,
        }
    }

    /// What a number of this is multiplied with, and what is added then, to be a number of the other; none if that cannot be.
    pub fn conversion(&self, to: &Self) -> Option<(f64, f64)> {
        let (from, to) = (self.known?, to.known?);
        let offset = if from.difference || to.difference { 0.0 } else { (from.offset - to.offset) / to.factor };
        (from.dimension == to.dimension).then(|| (from.factor / to.factor, offset))
    }

    /// The unit of a sum of two that are the same or differ like °C and K.
    pub fn plus(&self, other: &Self) -> Self {
        match (self.known, other.known) {
            (Some(one), Some(two)) if one.offset == 0.0 && two.offset != 0.0 => other.clone(),
            (Some(one), _) if one.difference => other.clone(),
            _ => self.clone(),
        }
    }

    /// The unit of a difference: that of two temperatures has no zero.
    pub fn minus(&self, other: &Self) -> Self {
        match (self.known, other.known) {
            (Some(one), Some(two)) if one.offset != 0.0 && one.offset == two.offset => {
                let text = if one.factor == 1.0 { "K".into() } else { self.text.clone() };
                Self { text, known: Some(Known { offset: 0.0, difference: true, ..one }) }
            }
            _ => self.clone(),
        }
    }

    /// Whether a difference in it can be added to, or taken from, a temperature of another unit: K and °C.
    pub fn shifts(&self, other: &Self) -> bool {
        let same_step =
            |one: Known, two: Known| one.dimension == TEMPERATURE && two.dimension == TEMPERATURE && one.factor == two.factor;
        self.known.zip(other.known).is_some_and(|(one, two)| same_step(one, two))
    }

    /// The unit of a product; none if one of them is a word.
    pub fn times(&self, other: &Self) -> Option<Self> {
        self.combine(other, 1)
    }

    /// The unit of a quotient; none if one of them is a word, unless both are the same.
    pub fn over(&self, other: &Self) -> Option<Self> {
        if self.text == other.text { Some(Self::one()) } else { self.combine(other, -1) }
    }

    fn combine(&self, other: &Self, sign: i8) -> Option<Self> {
        let (one, two) = (self.known?, other.known?);
        let mut dimension = one.dimension;
        for (power, added) in dimension.iter_mut().zip(two.dimension) {
            *power = power.checked_add(added.checked_mul(sign)?)?;
        }
        let factor = if sign > 0 { one.factor * two.factor } else { one.factor / two.factor };
        let known = Known { dimension, factor, offset: 0.0, difference: dimension == TEMPERATURE };
        let plain = |unit: &Self| matches!(&*unit.text, "1" | "pcs" | "pc" | "piece" | "pieces");
        let text: Arc<str> = match (sign > 0, plain(self), plain(other)) {
            (_, _, true) => self.text.clone(),
            (true, true, _) => other.text.clone(),
            (true, ..) => format!("{}·{}", self.text, other.text).into(),
            (false, true, _) => format!("1/{}", grouped(&other.text)).into(),
            (false, ..) => format!("{}/{}", self.text, grouped(&other.text)).into(),
        };
        Some(Self { text, known: Some(known) })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn grouped(text: &str) -> String {
    if text.contains(['/', '·', ' ', '*']) { format!("({text})") } else { text.to_owned() }
}

/// Takes a unit apart: factors with powers, multiplied and divided. What stands after a `/` is divided by, up to the next `/`.
fn parse(text: &str) -> Option<Known> {
    if text.is_empty() {
        return None;
    }
    let mut known = Known { dimension: NONE, factor: 1.0, offset: 0.0, difference: false };
    let mut parts = 0;
    for (position, group) in text.split('/').enumerate() {
        let sign = if position == 0 { 1 } else { -1 };
        for atom in group.trim().split(['·', '*', ' ', '⋅']) {
            let (name, power) = power_of(atom.trim())?;
            let (_, dimension, factor) = UNITS.iter().find(|(known, ..)| *known == name)?;
            let power = power * sign;
            for (sum, own) in known.dimension.iter_mut().zip(dimension) {
                *sum = sum.checked_add(own.checked_mul(power)?)?;
            }
            known.factor *= factor.powi(power.into());
            known.offset = match name {
                "°C" | "degC" => CELSIUS,
                "°F" | "degF" => CELSIUS - 32.0 * FAHRENHEIT,
                _ => 0.0,
            };
            parts += 1;
        }
    }
    if parts > 1 || known.dimension != TEMPERATURE {
        known.offset = 0.0;
    }
    known.factor.is_finite().then_some(known)
}

/// A name and its power: `m³`, `m3`, `m^3`, `s⁻¹`. A normal cubic metre (`Nm³`) is not the cube of a newton metre.
fn power_of(atom: &str) -> Option<(&str, i8)> {
    if UNITS.iter().any(|(known, ..)| *known == atom) {
        return Some((atom, 1));
    }
    let superscripts = [
        ("⁻¹", -1),
        ("⁻²", -2),
        ("⁻³", -3),
        ("²", 2),
        ("³", 3),
        ("^-1", -1),
        ("^-2", -2),
        ("^2", 2),
        ("^3", 3),
        ("2", 2),
        ("3", 3),
    ];
    let (name, power) = superscripts.iter().find_map(|(ending, power)| Some((atom.strip_suffix(ending)?, *power)))?;
    (name != "Nm" && !name.is_empty()).then_some((name, power))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(one: &str, two: &str) -> Relation {
        Unit::new(one).relation(&Unit::new(two))
    }

    #[test]
    fn units_stand_to_one_another() {
        let table = [
            ("bar", "bar", Relation::Same),
            ("°C", "bar", Relation::Different),
            ("°C", "°F", Relation::Convertible),
            ("°C", "K", Relation::Convertible),
            ("bar", "kPa", Relation::Convertible),
            ("kWh", "MJ", Relation::Convertible),
            ("l/h", "m³/h", Relation::Convertible),
            ("m3/h", "m³/h", Relation::Same),
            ("m^3 / h", "m³/h", Relation::Same),
            ("1/h", "1/min", Relation::Convertible),
            ("pcs/h", "1/h", Relation::Same),
            ("%", "1", Relation::Convertible),
            ("m/s²", "m/s", Relation::Different),
            ("mbar", "hPa", Relation::Same),
            ("W", "J/s", Relation::Same),
            ("V*A", "W", Relation::Same),
            ("bottles", "bottles", Relation::Same),
            ("bottles", "pcs", Relation::Unknown),
            ("bar(g)", "bar", Relation::Unknown),
            ("Nm³/h", "m³/h", Relation::Unknown),
            ("kg/m³", "g/l", Relation::Same),
        ];
        for (one, two, expected) in table {
            assert_eq!(relation(one, two), expected, "{one} and {two}");
            assert_eq!(relation(two, one), expected, "{two} and {one}");
        }
    }

    #[test]
    fn numbers_are_converted() {
        let converted = |number: f64, from: &str, to: &str| {
            let (factor, offset) = Unit::new(from).conversion(&Unit::new(to))?;
            Some((number * factor + offset) as f32)
        };
        assert_eq!(converted(100.0, "°C", "°F"), Some(212.0));
        assert_eq!(converted(-40.0, "°F", "°C"), Some(-40.0));
        assert_eq!(converted(0.0, "°C", "K"), Some(273.15));
        assert_eq!(converted(2.5, "bar", "kPa"), Some(250.0));
        assert_eq!(converted(1.0, "bar", "psi"), Some(14.503_774));
        assert_eq!(converted(36_000.0, "1/h", "1/min"), Some(600.0));
        assert_eq!(converted(0.5, "1", "%"), Some(50.0));
        assert_eq!(converted(1.0, "bar", "°C"), None);
        assert_eq!(converted(1.0, "bottles", "pcs"), None);
    }

    #[test]
    fn units_of_results() {
        let unit = Unit::new;
        assert_eq!(unit("kWh").over(&unit("t")).map(|unit| unit.relation(&Unit::new("kWh/t"))), Some(Relation::Same));
        assert_eq!(unit("kW").times(&unit("h")).map(|unit| unit.relation(&Unit::new("kWh"))), Some(Relation::Same));
        assert_eq!(unit("bottles").over(&unit("bottles")).map(|unit| unit.to_string()), Some("1".into()));
        assert_eq!(unit("bottles").over(&unit("h")), None);
        assert_eq!(unit("m").over(&unit("m/s")).map(|unit| unit.to_string()), Some("m/(m/s)".into()));
        let difference = unit("°C").minus(&unit("°C"));
        assert_eq!(difference.relation(&unit("K")), Relation::Same);
        assert_eq!(difference.relation(&unit("°C")), Relation::Same);
        assert_eq!(difference.relation(&unit("°F")), Relation::Convertible);
        assert_eq!(unit("°C").plus(&unit("K")), unit("°C"));
        assert_eq!(unit("K").plus(&unit("°C")), unit("°C"));
        assert!(unit("K").shifts(&unit("°C")) && !unit("K").shifts(&unit("°F")));
    }
}
