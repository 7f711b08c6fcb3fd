//! What one definition does and another does not.

use super::Played;

/// Differences that are told one by one at most; the rest is counted.
const MOST_TOLD: usize = 1_000;

/// The alarms that only one of two definitions raises.
pub fn difference(old: &Played, new: &Played) -> String {
    let (old, new) = (&old.raises, &new.raises);
    let both = old.intersection(new).count();
    let mut text = format!("{both} raise{} in both", if both == 1 { "" } else { "s" });
    for (name, one, other) in [("only old", old, new), ("only new", new, old)] {
        let only = one.difference(other);
        let many = only.clone().count();
        only.take(MOST_TOLD).for_each(|(time, path)| text.push_str(&format!("\n  {name}  {time}  {path}")));
        if many > MOST_TOLD {
            text.push_str(&format!("\n  {name}  and {} more", many - MOST_TOLD));
        }
    }
    text
}
