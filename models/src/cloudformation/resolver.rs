//! Walks a template and puts a value in the place of each function.

use super::{
    MAX_NESTING, MAX_RESOURCES, MAX_UNRESOLVED, MAX_WRITTEN, Parameters, Resource, Template, TemplateError, Unresolved,
    attributes::{self, Answer},
    functions,
};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// A template on its way.
pub(super) struct Resolver<'t> {
    pub document: &'t Value,
    pub parameters: &'t Parameters,
    /// Conditions that were decided; none where a value is missing.
    pub decided: HashMap<String, Option<bool>>,
    /// What is being worked out right now, to find circles: conditions, and resources whose names are asked for.
    pub trail: Vec<String>,
    /// Where the walk is: `Resources.Pump.Properties.Name`.
    pub path: String,
    pub unresolved: Vec<Unresolved>,
    resources: &'t Map<String, Value>,
    left_out: HashSet<&'t str>,
    /// The resource being read, and which others each one refers to.
    owner: Option<&'t str>,
    references: HashMap<&'t str, Vec<&'t str>>,
    written: usize,
    nesting: usize,
}

/// A value, or none where `AWS::NoValue` removes it.
pub(super) type Resolved = Result<Option<Value>, TemplateError>;

impl<'t> Resolver<'t> {
    pub fn new(document: &'t Value, parameters: &'t Parameters) -> Self {
        static NOTHING: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        Self {
            document,
            parameters,
            decided: HashMap::new(),
            trail: Vec::new(),
            path: String::new(),
            unresolved: Vec::new(),
            resources: document.get("Resources").and_then(Value::as_object).unwrap_or(&NOTHING),
            left_out: HashSet::new(),
            owner: None,
            references: HashMap::new(),
            written: 0,
            nesting: 0,
        }
    }

    /// Reads the whole template.
    pub fn template(mut self) -> Result<Template, TemplateError> {
        let resources = self.resources;
        if resources.len() > MAX_RESOURCES {
            return Err(self.too_large(format!("more than {MAX_RESOURCES} resources")));
        }
        let description = self.document.get("Description").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut template = Template { description, ..Template::default() };
        for (logical_id, resource) in resources {
            self.path = format!("Resources.{logical_id}.Condition");
            let condition = resource.get("Condition").and_then(Value::as_str);
            if let Some(condition) = condition
                && self.condition(condition)? == Some(false)
            {
                self.left_out.insert(logical_id);
                template.left_out.push(logical_id.clone());
            }
        }
        for (logical_id, resource) in resources {
            if self.left_out.contains(logical_id.as_str()) {
                continue;
            }
            let Some(resource_type) = resource.get("Type").and_then(Value::as_str) else {
                self.path = format!("Resources.{logical_id}");
                self.note("it has no `Type` and is left out (`Fn::ForEach` and macros are not carried out)");
                continue;
            };
            self.owner = Some(logical_id);
            self.path = format!("Resources.{logical_id}.Properties");
            let properties = match resource.get("Properties") {
                Some(properties) => self.value(properties)?.unwrap_or_default(),
                None => Value::Object(Map::new()),
            };
            template.resources.push(Resource {
                logical_id: logical_id.clone(),
                resource_type: resource_type.to_owned(),
                properties,
            });
        }
        self.circles()?;
        template.unresolved = self.unresolved;
        Ok(template)
    }

    /// Resolves one value at [`Self::path`].
    pub fn value(&mut self, value: &Value) -> Resolved {
        self.enter()?;
        let resolved = match value {
            Value::Object(members) => match functions::name(members) {
                Some((name, argument)) => self.function(name, argument),
                None => self.members(members),
            },
            Value::Array(items) => self.items(items),
            scalar => {
                self.charge(scalar.as_str().map_or(0, str::len))?;
                Ok(Some(scalar.clone()))
            }
        };
        self.leave();
        resolved
    }

    /// Goes a level deeper. Each step counts: mappings that name one another twice would double the work with each level.
    pub fn enter(&mut self) -> Result<(), TemplateError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.too_large(format!("values and references are nested deeper than {MAX_NESTING} levels")));
        }
        self.charge(1)
    }

    pub fn leave(&mut self) {
        self.nesting -= 1;
    }

    fn members(&mut self, members: &Map<String, Value>) -> Resolved {
        let mut resolved = Map::new();
        for (key, value) in members {
            if key.starts_with("Fn::") {
                self.note(&format!("`{key}` stands beside other members and is left out"));
                continue;
            }
            self.charge(key.len() + 1)?;
            if let Some(value) = self.within(&format!(".{key}"), |inner| inner.value(value))? {
                resolved.insert(key.clone(), value);
            }
        }
        Ok(Some(Value::Object(resolved)))
    }

    fn items(&mut self, items: &[Value]) -> Resolved {
        let mut resolved = Vec::new();
        for (index, item) in items.iter().enumerate() {
            resolved.extend(self.within(&format!("[{index}]"), |inner| inner.value(item))?);
        }
        Ok(Some(Value::Array(resolved)))
    }

    /// Does something a step further down.
    pub fn within<T>(&mut self, step: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push_str(step);
        let done = work(self);
        self.path.truncate(length);
        done
    }

    /// A reference to something with a name: parameter, pseudo parameter or resource.
    pub fn reference(&mut self, name: &str) -> Resolved {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(given) = self.parameters.given(name).filter(|_| name.starts_with("AWS::")) {
            return Ok(Some(Value::from(given)));
        }
        if let Some(value) = super::parameters::pseudo(name) {
            return Ok(Some(value));
        }
        if let Some(declaration) = self.document.get("Parameters").and_then(|parameters| parameters.get(name)) {
            return match super::parameters::declared(name, declaration, self.parameters) {
                Ok(value) => {
                    self.charge(functions::text(&value).map_or(64, |text| text.len()))?;
                    Ok(Some(value))
                }
                Err(reason) => Ok(Some(self.missing(name, &reason))),
            };
        }
        self.of_resource(name, None)
    }

    /// What `Ref` or `Fn::GetAtt` gives for a resource.
    pub fn of_resource(&mut self, name: &str, attribute: Option<&str>) -> Resolved {
        let shown = attribute.map_or(name.to_owned(), |attribute| format!("{name}.{attribute}"));
        let Some((logical_id, resource)) = self.resources.get_key_value(name) else {
            let known = self.resources.keys().map(String::as_str);
            let near = crate::expression::nearest(name, known).map(|near| format!("; did you mean `{near}`?"));
            let reason = format!("the template has no parameter or resource `{name}`{}", near.unwrap_or_default());
            return Ok(Some(self.missing(&shown, &reason)));
        };
        if self.left_out.contains(name) {
            let reason = format!("the resource {name} is left out by its condition");
            return Ok(Some(self.missing(&shown, &reason)));
        }
        if let Some(owner) = self.owner {
            self.references.entry(owner).or_default().push(logical_id);
        }
        if attribute.is_some_and(|attribute| attribute.starts_with("Outputs.")) {
            let reason = format!("{shown} is an output of another stack");
            return Ok(Some(self.missing(&shown, &reason)));
        }
        let known = resource.get("Type").and_then(Value::as_str).and_then(attributes::of);
        let answer = match (known, attribute) {
            (Some(known), None) => known.reference,
            (Some(_), Some(attribute)) if attribute.ends_with("Arn") => Answer::Arn,
            (Some(known), Some(attribute)) if attribute == known.name => Answer::Name,
            _ => Answer::Id,
        };
        let Some(known) = known.filter(|_| answer != Answer::Id) else { return Ok(Some(Value::from(logical_id.as_str()))) };
        let given = resource.get("Properties").and_then(|properties| properties.get(known.name));
        let name = self.name_of(logical_id, given)?;
        let (region, account) = (self.account("AWS::Region"), self.account("AWS::AccountId"));
        let (service, kind) = known.arn;
        Ok(Some(Value::from(match answer {
            Answer::Name | Answer::Id => name,
            Answer::Url => format!("https://sqs.{region}.amazonaws.com/{account}/{name}"),
            Answer::Arn if service == "iam" => format!("arn:aws:iam::{account}:{kind}{name}"),
            Answer::Arn => format!("arn:aws:{service}:{region}:{account}:{kind}{name}"),
        })))
    }

    /// The name a template gives a resource; its logical id if it gives none.
    fn name_of(&mut self, logical_id: &'t str, given: Option<&'t Value>) -> Result<String, TemplateError> {
        let Some(given) = given else { return Ok(logical_id.to_owned()) };
        if self.trail.iter().any(|open| open == logical_id) {
            return Err(self.circle(logical_id));
        }
        self.trail.push(logical_id.to_owned());
        let name = self.value(given)?;
        self.trail.pop();
        Ok(name.as_ref().and_then(functions::text).unwrap_or_else(|| logical_id.to_owned()))
    }

    fn account(&self, name: &str) -> String {
        let given = self.parameters.given(name).map(str::to_owned);
        given.or_else(|| super::parameters::pseudo(name).as_ref().and_then(functions::text)).unwrap_or_default()
    }

    /// Lists something that has no value here and gives the text that stands in its place.
    pub fn missing(&mut self, shown: &str, reason: &str) -> Value {
        self.note(reason);
        Value::from(format!("${{{shown}}}"))
    }

    pub fn note(&mut self, reason: &str) {
        if self.unresolved.len() < MAX_UNRESOLVED {
            self.unresolved.push(Unresolved { path: self.shown_path(), reason: shortened(reason) });
        }
    }

    /// Counts what is written out.
    pub fn charge(&mut self, bytes: usize) -> Result<(), TemplateError> {
        self.written += bytes;
        if self.written <= MAX_WRITTEN {
            return Ok(());
        }
        Err(self.too_large(format!("its functions write out more than {} MiB", MAX_WRITTEN >> 20)))
    }

    pub fn too_large(&self, reason: String) -> TemplateError {
        TemplateError::TooLarge { path: self.shown_path(), reason }
    }

    fn shown_path(&self) -> String {
        shortened(&self.path)
    }

    /// The circle that closes with a name.
    pub fn circle(&self, name: &str) -> TemplateError {
        let start = self.trail.iter().position(|open| open == name).unwrap_or(0);
        let names: Vec<&str> = self.trail[start..].iter().map(String::as_str).chain([name]).collect();
        TemplateError::Cycle(names.join(" → "))
    }

    /// Resources that refer to one another in a circle can never be made.
    fn circles(&mut self) -> Result<(), TemplateError> {
        let mut done: HashSet<&str> = HashSet::new();
        for start in self.resources.keys() {
            // Depth first with a stack of its own: a chain may be as long as the template.
            let mut open: Vec<(&str, usize)> = vec![(start, 0)];
            let mut above: HashSet<&str> = HashSet::from([start.as_str()]);
            while let Some((name, next)) = open.last_mut() {
                let (here, position) = (*name, *next);
                *next += 1;
                let Some(target) = self.references.get(here).and_then(|targets| targets.get(position)).copied() else {
                    done.insert(here);
                    above.remove(here);
                    open.pop();
                    continue;
                };
                if above.contains(target) {
                    self.trail = open.iter().map(|(name, _)| (*name).to_owned()).collect();
                    return Err(self.circle(target));
                }
                if !done.contains(target) {
                    above.insert(target);
                    open.push((target, 0));
                }
            }
        }
        Ok(())
    }
}

/// A text for a message: names may be as long as a template.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 400;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
