//! The style sheet, the script and the pictures: embedded, and named after their content, so that a browser may
//! keep them for ever.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Where assets lie.
pub(super) const ASSET_PATH: &str = "/console/assets/";
/// How long browsers keep them, in seconds: a year.
const KEEP_S: u32 = 31_536_000;
/// What the style sheet has in the place of the rosette's name.
const ROSETTE_MARK: &str = "@rosette@";

/// One file.
struct Asset {
    name: String,
    kind: &'static str,
    body: Bytes,
}

/// All files, with the addresses of those that pages name.
pub(super) struct Assets {
    pub(super) style: String,
    pub(super) script: String,
    pub(super) icon: String,
    files: Vec<Asset>,
}

impl Assets {
    pub(super) fn new() -> Self {
        let svg = "image/svg+xml";
        let rosette = asset("rosette", "svg", svg, include_str!("../../console/rosette.svg"));
        let style = include_str!("../../console/console.css").replace(ROSETTE_MARK, &address(&rosette));
        let style = asset("console", "css", "text/css; charset=utf-8", &style);
        let script = include_str!("../../console/console.js");
        let script = asset("console", "js", "text/javascript; charset=utf-8", script);
        let icon = asset("icon", "svg", svg, include_str!("../../console/icon.svg"));
        Self {
            style: address(&style),
            script: address(&script),
            icon: address(&icon),
            files: vec![rosette, style, script, icon],
        }
    }

    /// The file of a name, if there is one.
    pub(super) fn answer(&self, name: &str) -> Option<HttpResponse> {
        let file = self.files.iter().find(|file| file.name == name)?;
        let mut answer = HttpResponse::Ok();
        answer.content_type(file.kind);
        answer.insert_header((header::CACHE_CONTROL, format!("public, max-age={KEEP_S}, immutable")));
        Some(answer.body(file.body.clone()))
    }
}

fn asset(name: &str, ending: &str, kind: &'static str, body: &str) -> Asset {
    let hash = HEXLOWER.encode(&Sha256::digest(body)[..8]);
    Asset { name: format!("{name}-{hash}.{ending}"), kind, body: body.to_owned().into() }
}

fn address(asset: &Asset) -> String {
    format!("{ASSET_PATH}{}", asset.name)
}
