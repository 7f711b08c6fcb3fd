//! Where data is, as an argument: a folder, or a bucket.

use std::{path::PathBuf, str::FromStr};
use url::Url;

/// A data folder, or a prefix of an S3-compatible bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A folder on this machine.
    Folder(PathBuf),
    /// `s3://bucket/prefix`.
    Bucket(Url),
}

impl FromStr for Data {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, _)) = text.split_once("://") else { return Ok(Self::Folder(text.into())) };
        let url: Url = text.parse().map_err(|error| format!("`{text}` is no URL: {error}"))?;
        match (scheme, url.host_str()) {
            ("s3", Some(_)) => Ok(Self::Bucket(url)),
            ("s3", None) => Err(format!("`{text}` names no bucket; write it like s3://bucket/plant")),
            _ => Err(format!("`{scheme}://` is not known here; give a folder, or s3://bucket/plant")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_buckets() {
        assert_eq!("data".parse(), Ok(Data::Folder("data".into())));
        assert_eq!("s3://plant/a".parse(), Ok(Data::Bucket("s3://plant/a".parse().unwrap())));
        assert!("gs://plant/a".parse::<Data>().unwrap_err().contains("s3://bucket"));
        assert!("s3:///a".parse::<Data>().unwrap_err().contains("names no bucket"));
    }
}
