//! What is said about one thing: named aspects, each of one or more lines, shown to people and compared by what they mean.

use crate::{definition::Secret, expression::Expression, time::format_duration};
use std::{fmt::Display, time::Duration};

/// One thing said about another, such as its unit or its rules.
#[derive(Clone, Debug)]
pub(super) struct Aspect {
    /// Its name; empty for the main one.
    pub name: String,
    /// What is said, in order.
    pub lines: Vec<Line>,
}

/// A line as it is shown and as it is compared.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// For people; secrets are not in it.
    pub shown: String,
    /// Equal for what means the same.
    pub compared: String,
}

/// Gathers aspects.
#[derive(Default)]
pub(super) struct Aspects(pub Vec<Aspect>);

impl Aspects {
    /// Says something.
    pub fn say(mut self, name: &str, said: impl Display) -> Self {
        let shown = said.to_string();
        if !shown.is_empty() {
            self.push(name, vec![Line { compared: shown.clone(), shown }]);
        }
        self
    }

    /// Says something, if there is anything to say.
    pub fn maybe(self, name: &str, said: Option<impl Display>) -> Self {
        match said {
            Some(said) => self.say(name, said),
            None => self,
        }
    }

    /// Says a span, if there is one.
    pub fn span(self, name: &str, span: Option<Duration>) -> Self {
        self.maybe(name, span.map(format_duration))
    }

    /// Says that something is so.
    pub fn flag(self, name: &str, is: bool) -> Self {
        self.maybe(name, is.then_some("yes"))
    }

    /// Says several things in their order.
    pub fn list(mut self, name: &str, said: impl IntoIterator<Item = impl Display>) -> Self {
        let line = |said: String| Line { compared: squeezed(&said), shown: said };
        let lines: Vec<Line> = said.into_iter().map(|said| line(said.to_string())).collect();
        if !lines.is_empty() {
            self.push(name, lines);
        }
        self
    }

    /// Says a formula. Spaces say nothing.
    pub fn formula(mut self, name: &str, prefix: &str, expression: &Expression) -> Self {
        let references: Vec<String> = expression.references.iter().map(ToString::to_string).collect();
        let compared = format!("{prefix}{:?} {} {references:?}", expression.form, squeezed(&expression.text));
        self.push(name, vec![Line { shown: format!("{prefix}{}", expression.text), compared }]);
        self
    }

    /// Says a secret without showing it.
    pub fn secret(mut self, name: &str, secret: Option<&Secret>) -> Self {
        if let Some(Secret(text)) = secret {
            self.push(name, vec![Line { shown: "(secret)".into(), compared: text.to_string() }]);
        }
        self
    }

    /// Says what is compared but too long to show.
    pub fn hidden(mut self, name: &str, shown: &str, compared: String) -> Self {
        self.push(name, vec![Line { shown: shown.to_owned(), compared }]);
        self
    }

    fn push(&mut self, name: &str, lines: Vec<Line>) {
        self.0.push(Aspect { name: name.to_owned(), lines });
    }
}

/// A text without the spaces that say nothing: those in quotes and those between two words stay.
fn squeezed(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let (mut squeezed, mut quote, mut space) = (String::with_capacity(text.len()), None, false);
    for c in text.chars() {
        if quote.is_none() && c.is_whitespace() {
            space = true;
            continue;
        }
        if space && is_word(c) && squeezed.ends_with(is_word) {
            squeezed.push(' ');
        }
        space = false;
        squeezed.push(c);
        quote = match quote {
            Some(open) if open == c => None,
            None if c == '"' || c == '\'' => Some(c),
            quote => quote,
        };
    }
    squeezed
}

#[cfg(test)]
mod tests {
    use super::squeezed;

    #[test]
    fn spaces_between_words_and_in_texts_stay() {
        for (text, expected) in [
            ("a  and\n b", "a and b"),
            ("a>b and running", "a>b and running"),
            ("a > b  and( c )", "a>b and(c)"),
            ("x == 'two  words'", "x=='two  words'"),
            (" 1 + 2 ", "1+2"),
        ] {
            assert_eq!(squeezed(text), expected);
        }
    }
}
