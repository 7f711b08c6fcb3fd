//! The intrinsic functions.

use super::{
    TemplateError,
    resolver::{Resolved, Resolver},
};
use serde_json::{Map, Value};

/// The function a map stands for: its only member is `Ref` or starts with `Fn::`.
pub(super) fn name(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = members.iter().next().filter(|_| members.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

/// A scalar as text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

impl Resolver<'_> {
    /// Carries out a function.
    pub fn function(&mut self, name: &str, argument: &Value) -> Resolved {
        let list = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name, list) {
            ("Ref", _) if argument.is_string() => self.reference(argument.as_str().unwrap_or_default()),
            ("Fn::GetAtt", _) => self.get_attribute(argument),
            ("Fn::Sub", [template, names]) => self.substitute(template, names.as_object()),
            ("Fn::Sub", []) => self.substitute(argument, None),
            ("Fn::Join", [delimiter, items]) => self.join(delimiter, items),
            ("Fn::If", [condition, yes, no]) => self.choose(condition, yes, no),
            ("Fn::FindInMap", [map, keys @ ..]) if keys.len() >= 2 => self.find(map, keys),
            ("Fn::Select", [index, items]) => self.select(index, items),
            ("Fn::Split", [delimiter, source]) => self.split(delimiter, source),
            ("Fn::Base64", _) => self.base64(argument),
            ("Fn::Length", _) => {
                let value = self.value(argument)?;
                Ok(value.as_ref().and_then(Value::as_array).map(|items| Value::from(items.len())))
            }
            ("Fn::ToJsonString", _) => {
                let value = self.value(argument)?.unwrap_or_default().to_string();
                self.charge(value.len())?;
                Ok(Some(Value::from(value)))
            }
            ("Fn::ImportValue", _) => {
                let export = self.value(argument)?.as_ref().and_then(text).unwrap_or_default();
                let given = self.parameters.given(&export).map(Value::from);
                let reason = format!("{export} is exported by another stack: give it with `--parameter {export}=…`");
                Ok(Some(given.unwrap_or_else(|| self.missing(&export, &reason))))
            }
            _ => Ok(Some(self.missing(name, &format!("`{name}` of this form is not carried out here")))),
        }
    }

    /// A value as text; what is none is listed.
    fn scalar(&mut self, value: &Value) -> Result<Option<String>, TemplateError> {
        let value = self.value(value)?;
        let found = value.as_ref().and_then(text);
        if found.is_none() {
            self.note("a text is needed here");
        }
        Ok(found)
    }

    fn get_attribute(&mut self, argument: &Value) -> Resolved {
        let (resource, attribute) = match argument {
            Value::String(both) => {
                let (resource, attribute) = both.split_once('.').unwrap_or((both, ""));
                (resource.to_owned(), attribute.to_owned())
            }
            Value::Array(parts) if parts.len() == 2 => {
                let (resource, attribute) = (self.scalar(&parts[0])?, self.scalar(&parts[1])?);
                (resource.unwrap_or_default(), attribute.unwrap_or_default())
            }
            _ => return Ok(Some(self.missing("Fn::GetAtt", "`Fn::GetAtt` needs a resource and an attribute"))),
        };
        self.of_resource(&resource, Some(&attribute))
    }

    fn substitute(&mut self, template: &Value, names: Option<&Map<String, Value>>) -> Resolved {
        let Some(template) = template.as_str() else {
            return Ok(Some(self.missing("Fn::Sub", "`Fn::Sub` needs a text")));
        };
        let mut written = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else { break };
            written.push_str(before);
            match name.strip_prefix('!') {
                Some(literal) => written.push_str(&format!("${{{literal}}}")),
                None => {
                    let found = self.substituted(name.trim(), names)?;
                    self.charge(found.len())?;
                    written.push_str(&found);
                }
            }
            rest = behind;
        }
        written.push_str(rest);
        self.charge(written.len())?;
        Ok(Some(Value::from(written)))
    }

    fn substituted(&mut self, name: &str, names: Option<&Map<String, Value>>) -> Result<String, TemplateError> {
        let value = match (names.and_then(|names| names.get(name)), name.split_once('.')) {
            (Some(value), _) => self.value(value)?,
            (None, Some((resource, attribute))) => self.of_resource(resource, Some(attribute))?,
            (None, None) => self.reference(name)?,
        };
        Ok(match value {
            // A list joins with commas, as a list parameter was written.
            Some(Value::Array(items)) => items.iter().filter_map(text).collect::<Vec<_>>().join(","),
            value => value.as_ref().and_then(text).unwrap_or_default(),
        })
    }

    fn join(&mut self, delimiter: &Value, items: &Value) -> Resolved {
        let delimiter = self.scalar(delimiter)?.unwrap_or_default();
        let items = self.value(items)?;
        let Some(items) = items.as_ref().and_then(Value::as_array) else {
            return Ok(Some(self.missing("Fn::Join", "`Fn::Join` needs a list")));
        };
        let texts: Vec<String> = items.iter().filter_map(text).collect();
        if texts.len() < items.len() {
            self.note("`Fn::Join` joins texts; lists and maps in it are left out");
        }
        self.charge(texts.iter().map(|text| text.len() + delimiter.len()).sum())?;
        Ok(Some(Value::from(texts.join(&delimiter))))
    }

    fn choose(&mut self, condition: &Value, yes: &Value, no: &Value) -> Resolved {
        let name = condition.as_str().unwrap_or_default();
        match self.condition(name)? {
            Some(false) => self.value(no),
            decided => {
                if decided.is_none() {
                    self.note(&format!("the condition `{name}` cannot be decided; its first branch is taken"));
                }
                self.value(yes)
            }
        }
    }

    fn find(&mut self, map: &Value, keys: &[Value]) -> Resolved {
        let map = self.scalar(map)?.unwrap_or_default();
        let (first, second) = (self.scalar(&keys[0])?.unwrap_or_default(), self.scalar(&keys[1])?.unwrap_or_default());
        let mappings = self.document.get("Mappings");
        let found = mappings.and_then(|mappings| mappings.get(&map)?.get(&first)?.get(&second));
        match (found, keys.get(2).and_then(|options| options.get("DefaultValue"))) {
            (Some(found), _) | (None, Some(found)) => self.value(found),
            (None, None) => {
                let shown = format!("{map}.{first}.{second}");
                let reason = format!("the template's mappings have no {shown}");
                Ok(Some(self.missing(&shown, &reason)))
            }
        }
    }

    fn select(&mut self, index: &Value, items: &Value) -> Resolved {
        let index = self.scalar(index)?.and_then(|index| index.parse::<usize>().ok());
        let items = self.value(items)?;
        let found = index.and_then(|index| items.as_ref()?.get(index).cloned());
        Ok(Some(found.unwrap_or_else(|| self.missing("Fn::Select", "the list of `Fn::Select` has no such item"))))
    }

    fn split(&mut self, delimiter: &Value, source: &Value) -> Resolved {
        let delimiter = self.scalar(delimiter)?.unwrap_or_default();
        let source = self.scalar(source)?.unwrap_or_default();
        if delimiter.is_empty() {
            return Ok(Some(self.missing("Fn::Split", "`Fn::Split` needs a delimiter")));
        }
        let parts: Vec<Value> = source.split(&delimiter).map(Value::from).collect();
        self.charge(parts.len() * size_of::<Value>())?;
        Ok(Some(Value::Array(parts)))
    }

    fn base64(&mut self, argument: &Value) -> Resolved {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let source = self.scalar(argument)?.unwrap_or_default();
        self.charge(source.len() / 3 * 4 + 4)?;
        let mut written = String::new();
        for chunk in source.as_bytes().chunks(3) {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for position in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * position) & 63) as usize];
                written.push(if position > chunk.len() { '=' } else { char::from(letter) });
            }
        }
        Ok(Some(Value::from(written)))
    }
}
