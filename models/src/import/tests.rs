//! Files in, plant files and findings out.
