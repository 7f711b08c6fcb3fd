//! "Did you mean": the nearest of the names there are.

/// The candidate nearest to a name, if one is near enough to be a slip of the pen.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = fold(name);
    // A third of the name may be wrong; one letter always.
    let limit = (wanted.len() / 3).max(1);
    let scored = candidates.into_iter().map(|candidate| (distance(&wanted, &fold(candidate)), candidate));
    scored.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Case and word separators do not matter for likeness.
fn fold(name: &str) -> Vec<char> {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Edits (insert, delete, replace, swap neighbours) from one name to another.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *a == to[column - 1] && from[row - 1] == *b {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let names = ["fill_temp", "good_count", "running", "machines.oee"];
        assert_eq!(nearest("fil_temp", names), Some("fill_temp"));
        assert_eq!(nearest("FillTemp", names), Some("fill_temp"));
        assert_eq!(nearest("runnign", names), Some("running"));
        assert_eq!(nearest("machine.oee", names), Some("machines.oee"));
        assert_eq!(nearest("pressure", names), None);
    }
}
