//! Heartbeats: points that are toggled while writes are armed, so that a controller notices when nobody decides any more.
//!
//! They come from the loop that decides and wait for the disk like any effect: when either stands still, so do they. A beat is no
//! command and is not recorded; that they begin and end is.

use super::{Effect, Step};
use andon_models::{
    AssetId, CommandId, EventId, Timestamp, Value, ValueType,
    catalog::Catalog,
    command::Command,
    definition::AssetIndex,
    event::{Event, EventBody, SystemNotice},
};
use std::{sync::Arc, time::Duration};

/// A controller looks at the next beat; one that could not be sent by then is of no use.
const BEATS_LATE: u32 = 2;

/// A counter that beats starts over here, so that it fits every type of a controller.
const COUNTER: i64 = 1 << 15;

/// All heartbeats of a plant.
pub(super) struct Beats {
    hearts: Vec<Heart>,
    armed: bool,
}

struct Heart {
    beat: Command,
    path: Arc<str>,
    every: Duration,
    value_type: ValueType,
    next: Timestamp,
    count: i64,
}

impl Beats {
    /// The heartbeats of a definition.
    pub fn new(catalog: &Catalog) -> Self {
        let mut hearts = Vec::new();
        for (position, asset) in catalog.plant.assets.iter().enumerate() {
            let index = AssetIndex(position);
            for control in &catalog.plant.model_of(index).controls {
                let (Some(every), Some(point)) = (control.policy.heartbeat, catalog.control(index, &control.name)) else {
                    continue;
                };
                let beat = Command {
                    id: CommandId::from_name(&format!("heartbeat/{}/{}", asset.id, control.name)),
                    asset: asset.id,
                    control: control.name.clone(),
                    tag: point.tag,
                    series: point.series,
                    value: Value::Null,
                    decided_by: "heartbeat".into(),
                    decided_at: Timestamp::EPOCH,
                    deadline: Timestamp::EPOCH,
                    verify: Duration::ZERO,
                };
                let (path, value_type) = (asset.path.clone(), control.value_type);
                hearts.push(Heart { beat, path, every, value_type, next: Timestamp::MIN, count: 0 });
            }
        }
        Self { hearts, armed: false }
    }

    /// What beats now.
    pub fn tick(&mut self, now: Timestamp, armed: bool) -> Step {
        let mut step = Step::default();
        if armed != self.armed {
            self.armed = armed;
            for heart in &mut self.hearts {
                // The first beat comes when the note of it is long on disk.
                heart.next = now + heart.every;
                step.batch.events.push(heart.note(now, armed));
            }
        }
        for heart in self.hearts.iter_mut().filter(|heart| armed && (heart.next <= now || heart.next > now + heart.every)) {
            heart.next = now + heart.every;
            heart.count = (heart.count + 1) % COUNTER;
            let value = match heart.value_type {
                ValueType::Boolean => Value::Boolean(heart.count % 2 == 1),
                ValueType::Integer | ValueType::String => Value::Integer(heart.count),
                ValueType::Double => Value::Double(heart.count as f64),
            };
            let deadline = now + heart.every * BEATS_LATE;
            step.effects.push(Effect::Beat(Command { value, decided_at: now, deadline, ..heart.beat.clone() }));
        }
        step
    }
}

impl Heart {
    fn note(&self, now: Timestamp, armed: bool) -> Event {
        let Self { beat, path, every, .. } = self;
        let message = match armed {
            true => format!("{} beats every {every:?} from now on, while writes are armed", beat.control),
            false => format!("{} beats no more: writes are disarmed", beat.control),
        };
        let asset: AssetId = beat.asset;
        Event {
            id: EventId::from_name(&format!("{}/{armed}/{}", beat.id, now.as_nanos())),
            time: now,
            asset: Some(asset),
            asset_path: path.clone(),
            detector: "".into(),
            body: EventBody::System(SystemNotice {
                subject: "heartbeat".into(),
                level: "info".into(),
                message: message.into(),
            }),
        }
    }
}
