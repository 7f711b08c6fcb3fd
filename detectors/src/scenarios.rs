//! Whole stories: a model and a script in, everything asked for out.

mod alarms;
mod arming;
mod by_hand;
mod clocks;
mod hierarchy;
mod plant_file;
mod quiet;
mod restart;
mod rules;
mod story;
mod timers;
mod writes;
