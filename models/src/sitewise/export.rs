//! The way back: a plant as bulk metadata of SiteWise.
