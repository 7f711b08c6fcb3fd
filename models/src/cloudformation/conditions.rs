//! Conditions: true, false, or not decidable because a value is missing.

use super::{TemplateError, functions, resolver::Resolver};
use serde_json::Value;

impl Resolver<'_> {
    /// Decides a condition by its name.
    pub fn condition(&mut self, name: &str) -> Result<Option<bool>, TemplateError> {
        if let Some(known) = self.decided.get(name) {
            return Ok(*known);
        }
        if self.trail.iter().any(|open| open == name) {
            return Err(self.circle(name));
        }
        let Some(expression) = self.document.get("Conditions").and_then(|conditions| conditions.get(name)) else {
            self.note(&format!("the template has no condition `{name}`"));
            return Ok(None);
        };
        let path = std::mem::replace(&mut self.path, format!("Conditions.{name}"));
        self.trail.push(name.to_owned());
        let decided = self.decide(expression)?;
        self.trail.pop();
        self.path = path;
        self.decided.insert(name.to_owned(), decided);
        Ok(decided)
    }

    fn decide(&mut self, expression: &Value) -> Result<Option<bool>, TemplateError> {
        self.enter()?;
        let decided = self.operator(expression)?;
        self.leave();
        Ok(decided)
    }

    fn operator(&mut self, expression: &Value) -> Result<Option<bool>, TemplateError> {
        let members = expression.as_object().filter(|members| members.len() == 1);
        let Some((name, argument)) = members.and_then(|members| members.iter().next()) else {
            return Ok(expression.as_bool());
        };
        let operands = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name.as_str(), operands) {
            ("Condition", _) => match argument.as_str() {
                Some(name) => self.condition(name),
                None => Ok(None),
            },
            ("Fn::Not", [only]) => Ok(self.decide(only)?.map(|decided| !decided)),
            ("Fn::And", all) => self.all(all, true),
            ("Fn::Or", all) => self.all(all, false),
            ("Fn::Equals", [left, right]) => {
                let known = self.unresolved.len();
                let (left, right) = (self.value(left)?, self.value(right)?);
                let text = |value: &Option<Value>| value.as_ref().and_then(functions::text);
                let equal = if text(&left).is_some() { text(&left) == text(&right) } else { left == right };
                Ok((self.unresolved.len() == known).then_some(equal))
            }
            _ => {
                self.note(&format!("`{name}` is no condition function that is known here"));
                Ok(None)
            }
        }
    }

    /// And (`every`) or Or of several: decided as soon as one of them decides it.
    fn all(&mut self, conditions: &[Value], every: bool) -> Result<Option<bool>, TemplateError> {
        let mut result = Some(every);
        for condition in conditions {
            match self.decide(condition)? {
                Some(decided) if decided != every => return Ok(Some(!every)),
                Some(_) => {}
                None => result = None,
            }
        }
        Ok(result)
    }
}
