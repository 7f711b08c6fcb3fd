//! End-to-end stories and the promises of the house, in one binary.

mod check;
mod harness;
mod overheat;
mod tidy;
