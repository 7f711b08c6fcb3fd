//! Patterns that names are looked for by.

/// A pattern: `temp` is found anywhere in a name, `*.Temp` and `Motor?` are the whole name, with a `/` the whole path (`*/Bowl/*`).
/// Case does not matter.
#[derive(Clone, Debug)]
pub struct Pattern {
    letters: Vec<char>,
    /// Whether it is looked for in the path.
    path: bool,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Self {
        let wild = text.contains(['*', '?']);
        let text = if wild { text.to_lowercase() } else { format!("*{}*", text.to_lowercase()) };
        Self { path: text.contains('/'), letters: text.chars().collect() }
    }

    /// Whether a name, or the path that leads to it, is meant.
    pub fn takes(&self, name: &str, path: &str) -> bool {
        let text: Vec<char> = if self.path { path } else { name }.to_lowercase().chars().collect();
        matches(&self.letters, &text)
    }
}

/// One star is remembered at a time: going back to the last one is enough, so the work is at most letters times letters.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((back, taken)) = star else { return false };
                star = Some((back, taken + 1));
                at = back + 1;
                read = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pattern: &str, name: &str, path: &str, expected: bool) {
        assert_eq!(Pattern::new(pattern).takes(name, path), expected, "{pattern} in {name} at {path}");
    }

    #[test]
    fn names_and_paths() {
        check("temp", "Bowl.Temp", "", true);
        check("TEMP", "Temperature", "", true);
        check("*.temp", "Bowl.Temp", "", true);
        check("*.temp", "Bowl.Temperature", "", false);
        check("motor?", "Motor1", "", true);
        check("motor?", "Motor12", "", false);
        check("a*b*c", "axxbyyc", "", true);
        check("a*b*c", "axxbyy", "", false);
        check("*", "", "", true);
        check("bowl/temp", "Temp", "Filler 2/Bowl/Temp", true);
        check("*/Bowl/*", "Temp", "Filler 2/Bowl/Temp", true);
        check("*/Bowl/*", "Bowl/Temp", "Temp", false);
        check("[x]+", "a[x]+b", "", true);
    }

    proptest! {
        #[test]
        fn a_part_of_a_name_is_always_found(before in "[a-z]{0,8}", part in "[a-z]{1,8}", after in "[a-z]{0,8}") {
            let name = format!("{before}{part}{after}");
            prop_assert!(Pattern::new(&part).takes(&name, ""));
            prop_assert!(Pattern::new(&format!("{before}*{after}")).takes(&name, ""), "*{}* in {}", part, name);
        }

        #[test]
        fn nothing_panics(pattern in ".{0,20}", text in ".{0,20}") {
            Pattern::new(&pattern).takes(&text, &text);
        }
    }
}
