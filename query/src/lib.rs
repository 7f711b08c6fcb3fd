//! Remembers and answers: log, buffer, Parquet history, latest values, SQL, metrics.
