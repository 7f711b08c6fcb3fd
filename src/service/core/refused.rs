//! Samples that are not let in because of their time: counted always, told once in a while.

use super::{Effect, Step};
use andon_models::{
    EventId, Timestamp,
    admission::{TimeRefusal, admit},
    catalog::Tag,
    event::{Event, EventBody, SystemNotice},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// A source that goes on sending impossible times is told of again after this.
const TELL_AGAIN: Duration = Duration::from_secs(24 * 3_600);

/// Samples of one source that were refused in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The source.
    pub source: Arc<str>,
    /// Why.
    pub reason: TimeRefusal,
    /// How many.
    pub count: u64,
}

/// What was refused in this step, and what has been told.
#[derive(Default)]
pub(super) struct Refusals {
    /// How many by source and reason, with the time of one of them.
    now: BTreeMap<(Arc<str>, TimeRefusal), (u64, Timestamp)>,
    /// When it was told. Bounded by the number of sources.
    told: HashMap<(Arc<str>, TimeRefusal), Timestamp>,
}

impl Refusals {
    /// Some if a sample of this time may enter.
    pub fn admit(&mut self, tag: &Tag, time: Timestamp, now: Timestamp) -> Option<()> {
        let Err(reason) = admit(time, now) else { return Some(()) };
        self.now.entry((tag.source.clone(), reason)).or_insert((0, time)).0 += 1;
        None
    }

    /// Adds to a step what was refused in it.
    pub fn tell(&mut self, now: Timestamp, step: &mut Step) {
        for ((source, reason), (count, time)) in std::mem::take(&mut self.now) {
            let key = (source.clone(), reason);
            if self.told.get(&key).is_none_or(|told| now.since(*told) > TELL_AGAIN) {
                let message: Arc<str> =
                    format!("values of {source} are refused: their time, such as {time}, is {reason}").into();
                step.batch.events.push(Event {
                    id: EventId::from_name(&format!("refused/{source}/{}/{now}", reason.name())),
                    time: now,
                    asset: None,
                    asset_path: "".into(),
                    detector: "".into(),
                    body: EventBody::System(SystemNotice {
                        subject: source.clone(),
                        level: "warning".into(),
                        message: message.clone(),
                    }),
                });
                step.effects.push(Effect::Trouble { source: source.clone(), reason: message });
                self.told.insert(key, now);
            }
            step.refused.push(Refused { source, reason, count });
        }
    }
}
