//! What everything in SiteWise is told by: id, external id, a template's logical id, name.

use uuid::Uuid;

/// Where something was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file, by number.
    pub file: usize,
    /// The JSON path in it.
    pub path: String,
}

/// A model, property, hierarchy, composite or asset, as far as it is told from others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thing {
    pub id: Option<String>,
    pub external_id: Option<String>,
    /// The name in a CloudFormation template, which means nothing in another file.
    pub logical_id: Option<String>,
    pub name: String,
    /// Names it had in earlier files.
    pub former: Vec<String>,
    pub description: Option<String>,
    pub at: Place,
}

/// How a reference names its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// By id, external id, logical id or name, whichever there is.
    Any,
    /// By external id only.
    ExternalId,
}

/// A reference to a thing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    pub text: String,
    pub by: By,
    pub at: Place,
}

impl Thing {
    /// How well a reference fits: less is better.
    pub fn fit(&self, reference: &Reference) -> Option<u8> {
        let text = reference.text.as_str();
        let is = |own: &Option<String>| own.as_deref() == Some(text);
        if is(&self.external_id) {
            return Some(1);
        }
        if reference.by == By::ExternalId {
            return None;
        }
        if is(&self.id) {
            return Some(0);
        }
        if is(&self.logical_id) && self.at.file == reference.at.file {
            return Some(2);
        }
        if self.name == text {
            return Some(3);
        }
        self.former.iter().any(|name| name == text).then_some(4)
    }

    /// Whether another description is of the same thing: by id, else by external id, else, inside one file, by logical id.
    pub fn is_same(&self, other: &Self) -> Option<bool> {
        let same = |one: &Option<String>, other: &Option<String>| Some(one.as_ref()? == other.as_ref()?);
        let logical = || same(&self.logical_id, &other.logical_id).filter(|same| *same);
        same(&self.id, &other.id).or_else(|| same(&self.external_id, &other.external_id)).or_else(logical)
    }

    /// Takes over what a later description says; the name it had is remembered.
    pub fn update(&mut self, later: Self) {
        if !later.name.is_empty() && later.name != self.name {
            let before = std::mem::replace(&mut self.name, later.name);
            if !before.is_empty() && !self.former.contains(&before) {
                self.former.push(before);
            }
        }
        self.id = later.id.or(self.id.take());
        self.external_id = later.external_id.or(self.external_id.take());
        self.logical_id = later.logical_id.or(self.logical_id.take());
        self.description = later.description.or(self.description.take());
        self.at = later.at;
    }

    /// Its id, if it is one that can be kept.
    pub fn uuid(&self) -> Option<Uuid> {
        self.id.as_deref().and_then(|id| Uuid::parse_str(id).ok()).filter(|id| !id.is_nil())
    }
}

/// The thing a reference means.
pub(crate) fn find<'t>(things: impl Iterator<Item = &'t Thing>, reference: &Reference) -> Option<usize> {
    let fits = things.enumerate().filter_map(|(index, thing)| Some((thing.fit(reference)?, index)));
    fits.min().map(|(_, index)| index)
}

/// The thing whose name stands in a text that names nothing: AWS's guides have `ID of Wind Turbine Asset Model` where an id belongs.
pub(crate) fn find_inside<'t>(things: impl Iterator<Item = &'t Thing>, reference: &Reference) -> Option<usize> {
    let text = reference.text.to_lowercase();
    if !text.starts_with("id of ") && !text.contains("<") && !text.contains("${") {
        return None;
    }
    let inside = things.enumerate().filter(|(_, thing)| thing.name.len() > 2 && text.contains(&thing.name.to_lowercase()));
    inside.max_by_key(|(index, thing)| (thing.name.len(), usize::MAX - index)).map(|(index, _)| index)
}
