//! The plant in words: time, quality, value, models, expressions, windows, calendars, OEE. Nouns and pure rules.
