//! Transforms: values computed per sample, in event order, from the latest good values of their inputs.
