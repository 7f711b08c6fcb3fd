//! Names of SiteWise as names of a plant file: `Torque (KiloNewton Meter)` becomes `torque_kilo_newton_meter`.

use crate::plant_file::{MAX_KEY, RESERVED};
use std::collections::HashSet;

/// Longest name of an asset in a plant file, in bytes.
const MAX_ASSET_NAME: usize = 128;

/// A key from a name: small letters, digits and `_`. Never empty.
pub(crate) fn key(name: &str, otherwise: &str) -> String {
    let letters: Vec<char> = name.chars().flat_map(plain).collect();
    let mut key = String::new();
    for (index, letter) in letters.iter().copied().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            if !key.is_empty() && !key.ends_with('_') {
                key.push('_');
            }
            continue;
        }
        let before = index.checked_sub(1).map(|before| letters[before]);
        let next_is_small = letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        // A word begins with a capital after a small letter or digit, and with the last capital of several before a small one.
        let new_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase() || before.is_ascii_digit() || (before.is_ascii_uppercase() && next_is_small)
            });
        if new_word && !key.ends_with('_') && !is_short(&letters, index) {
            key.push('_');
        }
        key.push(letter.to_ascii_lowercase());
    }
    key.truncate(MAX_KEY);
    let key = key.trim_matches('_');
    if key.is_empty() {
        return otherwise.to_owned();
    }
    let key = if key.starts_with(|first: char| first.is_ascii_digit()) { format!("_{key}") } else { key.to_owned() };
    let key = if RESERVED.contains(&key.as_str()) { format!("{key}_") } else { key };
    key.chars().take(MAX_KEY).collect()
}

/// Words of up to three letters stay whole: `kWh` is a unit, not two words.
fn is_short(letters: &[char], index: usize) -> bool {
    let start = letters[..index].iter().rposition(|letter| !letter.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
    let end = letters[index..].iter().position(|letter| !letter.is_ascii_alphanumeric()).map_or(letters.len(), |at| index + at);
    end - start <= 3
}

/// Letters that have a plain spelling; everything else that is not ASCII separates words.
fn plain(letter: char) -> Vec<char> {
    let spelled = match letter {
        'ä' | 'æ' => "ae",
        'ö' | 'ø' | 'œ' => "oe",
        'ü' => "ue",
        'Ä' | 'Æ' => "Ae",
        'Ö' | 'Ø' | 'Œ' => "Oe",
        'Ü' => "Ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'å' => "a",
        'ç' | 'č' | 'ć' => "c",
        'è' | 'é' | 'ê' | 'ë' | 'ě' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' | 'ń' => "n",
        'ò' | 'ó' | 'ô' | 'õ' => "o",
        'ù' | 'ú' | 'û' | 'ů' => "u",
        'ý' => "y",
        'š' | 'ś' => "s",
        'ž' | 'ź' | 'ż' => "z",
        'ł' => "l",
        '%' => " percent ",
        'µ' | 'μ' => "u",
        _ => return vec![letter],
    };
    spelled.chars().collect()
}

/// The name itself if nothing has it, else with a number behind it.
pub(super) fn unique(name: String, taken: &mut HashSet<String>) -> String {
    if taken.insert(name.clone()) {
        return name;
    }
    let mut number = 2_usize;
    loop {
        let suffix = format!("_{number}");
        let keep = MAX_KEY.saturating_sub(suffix.len());
        let next: String = name.chars().take(keep).chain(suffix.chars()).collect();
        if taken.insert(next.clone()) {
            return next;
        }
        number += 1;
    }
}

/// The name of an asset in a plant file: no `/`, no blanks at its ends, not too long.
pub(super) fn asset(name: &str, taken: &mut HashSet<String>) -> String {
    let mut plain = String::new();
    for letter in name.chars().map(|letter| if letter == '/' || letter.is_control() { '-' } else { letter }) {
        if plain.len() + letter.len_utf8() > MAX_ASSET_NAME - 8 {
            break;
        }
        plain.push(letter);
    }
    let plain = match plain.trim() {
        "" => "Asset".to_owned(),
        plain => plain.to_owned(),
    };
    if taken.insert(plain.clone()) {
        return plain;
    }
    let mut number = 2_usize;
    loop {
        let next = format!("{plain} ({number})");
        if taken.insert(next.clone()) {
            return next;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys() {
        let check = |name: &str, expected: &str| assert_eq!(key(name, "property"), expected, "{name}");
        check("RotationsPerMinute", "rotations_per_minute");
        check("Torque (KiloNewton Meter)", "torque_kilo_newton_meter");
        check("Equipment_State", "equipment_state");
        check("OEE", "oee");
        check("OEEValue", "oee_value");
        check("Ideal_Run_Rate", "ideal_run_rate");
        check("Joint 1 Current", "joint_1_current");
        check("AWS/ALARM_STATE", "aws_alarm_state");
        check("kWh", "kwh");
        check("Temperatur Kühlung [°C]", "temperatur_kuehlung_c");
        check("Yield %", "yield_percent");
        check("3rd Shift", "_3rd_shift");
        check("in", "in_");
        check("温度", "property");
        check("", "property");
        assert_eq!(key(&"x".repeat(300), "p").len(), 64);
    }

    #[test]
    fn names_taken_get_numbers() {
        let mut taken = HashSet::new();
        let names: Vec<String> = ["a", "a", "a"].map(|name| unique(name.to_owned(), &mut taken)).into();
        assert_eq!(names, ["a", "a_2", "a_3"]);
        let mut taken = HashSet::new();
        let names: Vec<String> = ["A/B", "A/B", " "].map(|name| asset(name, &mut taken)).into();
        assert_eq!(names, ["A-B", "A-B (2)", "Asset"]);
    }
}
