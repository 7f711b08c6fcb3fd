//! The names AWS IoT Events and AWS IoT SiteWise have for the states of an alarm.

use super::AlarmState;

impl AlarmState {
    /// The state as AWS IoT Events calls it. An alarm without an acknowledge flow (`acknowledge` is false) is never ACKNOWLEDGED.
    ///
    /// Source: IoT Events API, `AlarmState.stateName`.
    pub fn iot_events_name(self, acknowledge: bool) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Acknowledged if acknowledge => "ACKNOWLEDGED",
            Self::Unacknowledged | Self::Acknowledged => "ACTIVE",
            Self::ReturnedUnacknowledged | Self::LatchedUnacknowledged | Self::LatchedAcknowledged => "LATCHED",
            Self::Shelved => "SNOOZE_DISABLED",
            Self::Suppressed | Self::OutOfService => "DISABLED",
        }
    }

    /// The same as AWS IoT SiteWise writes it into the alarm state property.
    ///
    /// Source: SiteWise user guide, "alarm state" property.
    pub fn sitewise_name(self, acknowledge: bool) -> &'static str {
        match self.iot_events_name(acknowledge) {
            "NORMAL" => "Normal",
            "ACTIVE" => "Active",
            "ACKNOWLEDGED" => "Acknowledged",
            "LATCHED" => "Latched",
            "SNOOZE_DISABLED" => "SnoozeDisabled",
            _ => "Disabled",
        }
    }
}
