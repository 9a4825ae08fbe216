//! The picture of an audit: the images that were found, in pairs.

use super::count;
use dnn_data::Shown;

use crate::output::write_chart;
use dnn_data::Splits;
use dnn_data::audit::{Audit, Group, ImageRef, Likeness, Near};
use dnn_report::{Arrangement, Tile, image_sheet};
use std::collections::HashSet;
use std::path::Path;

/// Draws each leak, contradiction and group of duplicates that is listed, once.
pub(super) fn write(path: &Path, splits: &Splits, audit: &Audit) -> anyhow::Result<()> {
    let pairs = pairs(audit);
    let mut images = Vec::new();
    for (pair, what) in &pairs {
        for image in pair {
            let Some(set) = splits.get(image.split) else { continue };
            let class = audit.classes[image.label as usize].shown();
            let caption =
                vec![format!("{} {}", image.split, image.index), class.into_owned(), what.clone()];
            images.push((set.image(image.index), caption));
        }
    }
    let shape = audit.shape;
    let tiles: Vec<_> =
        images.iter().map(|(pixels, caption)| Tile { pixels, shape, caption }).collect();
    let n_near = match &audit.near {
        Near::Searched(near) => near.duplicates.groups.total,
        _ => 0,
    };
    let title = format!(
        "{}, {}, {} of the same pixels, {n_near} of near duplicates",
        count(audit.leaks.total, "leak", "leaks"),
        count(audit.contradictions.total, "contradiction", "contradictions"),
        count(audit.exact.groups.total, "group", "groups"),
    );
    write_chart(path, &image_sheet(&title, &tiles, Arrangement::Pairs)?, 1)
}

/// Returns pairs of images and what is wrong with them, the gravest first and no pair twice.
fn pairs(audit: &Audit) -> Vec<([ImageRef; 2], String)> {
    let leaks = audit.leaks.listed.iter().map(|leak| {
        let how = match leak.likeness {
            Likeness::Same => "same pixels".into(),
            Likeness::Near { difference, .. } => format!("near, {:.1} %", 100.0 * difference),
        };
        ([leak.train, leak.test], format!("leak, {how}"))
    });
    let of_group = |group: &Group, what: &str| {
        let first = *group.images.listed.first()?;
        let more = group.images.total - 2;
        let more = if more > 0 { format!(", {more} more") } else { String::new() };
        Some(([first, group.other], format!("{what}{more}")))
    };
    let contradictions = audit.contradictions.listed.iter().filter_map(|group| {
        of_group(group, if group.same_pixels { "two labels" } else { "two labels, near" })
    });
    let exact = audit.exact.groups.listed.iter().filter_map(|group| of_group(group, "same pixels"));
    let near = match &audit.near {
        Near::Searched(near) => &near.duplicates.groups.listed[..],
        _ => &[],
    };
    let near = near.iter().filter_map(|group| of_group(group, "near duplicate"));
    let mut seen = HashSet::new();
    leaks
        .chain(contradictions)
        .chain(exact)
        .chain(near)
        .filter(|(pair, _)| seen.insert(*pair))
        .collect()
}
