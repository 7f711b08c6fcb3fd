//! How the alarm of a detector model behaves: delays, latch, repetition, escalation, suppression.

use super::Priority;
use crate::expression::Expression;
use std::{sync::Arc, time::Duration};

/// Most steps of one escalation: whom a fourth and a fifth message does not move, a ninth will not.
pub const MAX_ESCALATION_STEPS: usize = 8;

/// Shortest time after which an alarm may be annunciated again. More often is chattering, made by hand.
pub const SHORTEST_RE_ALARM: Duration = Duration::from_secs(10);

/// How an alarm behaves. The default is an alarm as it was before there were settings: at once, and acknowledged by hand.
///
/// Source: ANSI/ISA-18.2-2016, clauses 5.5 (states) and 11 (advanced alarming); delays as in IEC 62682.
#[derive(Clone, Debug)]
pub struct AlarmSettings {
    /// The condition must stand so long before the alarm is annunciated; in event time.
    pub on_delay: Duration,
    /// The condition must be gone so long before the alarm clears; in event time.
    pub off_delay: Duration,
    /// Whether it stays, after the condition went, until it is acknowledged and reset.
    pub latch: bool,
    /// Whether somebody has to acknowledge it.
    pub acknowledge: bool,
    /// Whose rules its states follow.
    pub life_cycle: LifeCycle,
    /// Annunciated again after so long without acknowledgement.
    pub re_alarm: Option<Duration>,
    /// Annunciated again after so long acknowledged while the condition stands.
    pub re_alarm_standing: Option<Duration>,
    /// What happens while nobody acknowledges it, by rising time. At most [`MAX_ESCALATION_STEPS`].
    pub escalate: Vec<EscalationStep>,
    /// It is suppressed by design while this holds.
    pub suppress_when: Option<Arc<Expression>>,
    /// Targets told when it is annunciated, by name.
    pub notify: Vec<Arc<str>>,
    /// Whether it begins out of service, and an engineer puts it into service.
    pub starts_out_of_service: bool,
}

/// One step of an escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscalationStep {
    /// Counts from the annunciation.
    pub after: Duration,
    /// Targets told then, by name.
    pub notify: Vec<Arc<str>>,
    /// The priority from then on, until it is annunciated anew; none leaves it.
    pub priority: Option<Priority>,
}

/// Whose rules the states of an alarm follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LifeCycle {
    /// ANSI/ISA-18.2: a condition that comes again is annunciated again; only a latched alarm can be reset; what comes back from
    /// hiding shows at once whether its condition stands.
    #[default]
    Isa,
    /// AWS IoT Events: an acknowledged alarm stays so while its rule holds; any alarm can be reset; what comes back from hiding is
    /// normal until its rule is evaluated again.
    IotEvents,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            on_delay: Duration::ZERO,
            off_delay: Duration::ZERO,
            latch: false,
            acknowledge: true,
            life_cycle: LifeCycle::Isa,
            re_alarm: None,
            re_alarm_standing: None,
            escalate: Vec::new(),
            suppress_when: None,
            notify: Vec::new(),
            starts_out_of_service: false,
        }
    }
}
