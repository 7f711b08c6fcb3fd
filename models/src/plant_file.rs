//! The plant file: YAML in, a checked [`crate::definition::Plant`] or compiler-style diagnostics out.
