//! What the page loads besides itself: three small files of ours, under names that change with their content.

use std::sync::OnceLock;

use blake2::{Blake2s256, Digest};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};

use super::super::body::Content;
use super::super::reply::Reply;

/// The folder in which they are served.
pub(in super::super) const FOLDER: &str = "/assets/";

/// One of the files.
pub(super) struct Asset {
    stem: &'static str,
    ending: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    path: OnceLock<String>,
}

/// How the page looks.
pub(super) static STYLE: Asset = Asset::new("style", ".css", "text/css; charset=utf-8", include_bytes!("style.css"));

/// What it does beyond what forms and links do.
pub(super) static SCRIPT: Asset =
    Asset::new("script", ".js", "text/javascript; charset=utf-8", include_bytes!("script.js"));

/// The icon of its tab.
pub(super) static ICON: Asset = Asset::new("icon", ".svg", "image/svg+xml", include_bytes!("icon.svg"));

impl Asset {
    const fn new(
        stem: &'static str,
        ending: &'static str,
        content_type: &'static str,
        content: &'static [u8],
    ) -> Asset {
        Asset { stem, ending, content_type, content, path: OnceLock::new() }
    }

    /// Where it is served.
    pub(super) fn path(&self) -> &str {
        self.path.get_or_init(|| {
            let digest = Blake2s256::digest(self.content);
            let digits: String = digest[..6].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{FOLDER}{}-{digits}{}", self.stem, self.ending)
        })
    }
}

/// The file at this path, if it is one.
pub(in super::super) fn reply(path: &str) -> Option<Reply> {
    let asset = [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.path() == path)?;
    let mut reply = Reply::new(StatusCode::OK, asset.content_type, Content::whole(Bytes::from_static(asset.content)));
    reply.header(CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_together_are_small() {
        let total: usize = [&STYLE, &SCRIPT, &ICON].iter().map(|asset| asset.content.len()).sum();
        assert!(total < 60 * 1024, "{total} bytes");
    }

    #[test]
    fn a_file_is_served_under_its_present_name_alone() {
        assert!(reply(STYLE.path()).is_some());
        for path in ["/assets/", "/assets/style.css", "/assets/style-000000000000.css", "/assets/../style.css"] {
            assert!(reply(path).is_none(), "{path}");
        }
    }
}
