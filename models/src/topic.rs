//! Topic patterns: which MQTT topics a source listens to, and whose machine a message is about.
//!
//! A topic is compared with an asset's path level by level from the right, in a form without case, spaces, `_` and `-`, because
//! topics and machine names are seldom spelled alike. Nothing is guessed beyond that.

use crate::definition::{TopicLevel, TopicPattern};
use std::{fmt, str::FromStr};

/// Levels of a topic; MQTT allows more, no plant needs them.
const MAX_LEVELS: usize = 32;

impl TopicPattern {
    /// The MQTT topic filter to subscribe to: captures become `+`.
    pub fn filter(&self) -> String {
        let levels = self.levels.iter().map(|level| match level {
            TopicLevel::Literal(text) => &**text,
            TopicLevel::Capture(_) => "+",
        });
        levels.collect::<Vec<_>>().join("/")
    }

    /// The captured levels of a topic, by name, from the left; none when the topic does not match.
    pub fn captures<'a>(&'a self, topic: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut captures = Vec::new();
        let mut levels = topic.split('/');
        for expected in &self.levels {
            let level = levels.next()?;
            match expected {
                TopicLevel::Literal(text) if **text == *level => {}
                TopicLevel::Literal(_) => return None,
                TopicLevel::Capture(name) => captures.push((&**name, level)),
            }
        }
        levels.next().is_none().then_some(captures)
    }

    /// Whether a message on `topic` is about the asset at `asset_path`: the last capture is the asset's name, the one before its
    /// parent's, and so on. Captures named `area` or `_`, and those beyond the root, may be anything.
    pub fn is_about(&self, topic: &str, asset_path: &str) -> bool {
        let Some(captures) = self.captures(topic) else { return false };
        captures
            .iter()
            .rev()
            .zip(asset_path.rsplit('/'))
            .all(|((name, level), asset)| matches!(*name, "area" | "_") || alike(level, asset))
    }
}

/// Whether two names are the same but for case, spaces, `_` and `-`.
fn alike(left: &str, right: &str) -> bool {
    let plain = |text: &str| -> Vec<char> {
        text.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
    };
    plain(left) == plain(right)
}

impl FromStr for TopicPattern {
    type Err = String;
    /// Reads `plant/{line}/{asset}/energy`; `+` is a capture without a name.
    fn from_str(text: &str) -> Result<Self, String> {
        let levels: Vec<_> = text.split('/').map(level).collect::<Result<_, _>>()?;
        match levels.len() {
            _ if text.is_empty() => Err("the topic is empty".into()),
            count if count > MAX_LEVELS => Err(format!("the topic has {count} levels, at most {MAX_LEVELS} are allowed")),
            _ => Ok(Self { levels }),
        }
    }
}

fn level(text: &str) -> Result<TopicLevel, String> {
    if text == "+" {
        return Ok(TopicLevel::Capture("".into()));
    }
    if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return if name.is_empty() || name.contains(['{', '}', '+', '#']) {
            Err(format!("`{text}` captures under no usable name"))
        } else {
            Ok(TopicLevel::Capture(name.into()))
        };
    }
    if text == "#" {
        return Err("`#` is not supported: write one `+` or `{name}` per level".into());
    }
    if text.contains(['+', '#', '{', '}']) {
        return Err(format!("`{text}` mixes text and a wildcard: a level is either a text, `+` or `{{name}}`"));
    }
    Ok(TopicLevel::Literal(text.into()))
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, level) in self.levels.iter().enumerate() {
            let slash = if position == 0 { "" } else { "/" };
            match level {
                TopicLevel::Literal(text) => write!(f, "{slash}{text}")?,
                TopicLevel::Capture(name) if name.is_empty() => write!(f, "{slash}+")?,
                TopicLevel::Capture(name) => write!(f, "{slash}{{{name}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_name_the_asset_from_the_right() {
        let pattern: TopicPattern = "umh/v1/{area}/{line}/{asset}/energy".parse().unwrap();
        assert_eq!(pattern.filter(), "umh/v1/+/+/+/energy");
        assert_eq!(pattern.to_string(), "umh/v1/{area}/{line}/{asset}/energy");
        let captures = pattern.captures("umh/v1/bottling/line-2/filler_2/energy");
        assert_eq!(captures, Some(vec![("area", "bottling"), ("line", "line-2"), ("asset", "filler_2")]));
        assert!(pattern.is_about("umh/v1/bottling/line-2/filler_2/energy", "Line 2/Filler 2"));
        assert!(!pattern.is_about("umh/v1/bottling/line-3/filler_2/energy", "Line 2/Filler 2"));
        assert!(!pattern.is_about("umh/v1/bottling/line-2/filler_2/power", "Line 2/Filler 2"));
        assert!(!pattern.is_about("umh/v1/bottling/line-2/filler_2/energy/x", "Line 2/Filler 2"));
    }

    #[test]
    fn a_pattern_without_captures_is_about_every_asset_bound_to_it() {
        let pattern: TopicPattern = "plant/air".parse().unwrap();
        assert!(pattern.is_about("plant/air", "Line 2/Filler 2"));
        assert!(!pattern.is_about("plant/water", "Line 2/Filler 2"));
    }

    #[test]
    fn mistakes_are_told() {
        assert!("plant/#".parse::<TopicPattern>().unwrap_err().contains("`#` is not supported"));
        assert!("plant/a+b".parse::<TopicPattern>().unwrap_err().contains("mixes"));
        assert!("plant/{}/x".parse::<TopicPattern>().unwrap_err().contains("no usable name"));
    }
}
