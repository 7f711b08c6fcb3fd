//! Decides: state machines over plant data, alarms, timers and the life cycle of commands.
