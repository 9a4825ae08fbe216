//! The report of an audit as text.

use super::count;
use dnn_data::Shown;

use dnn_data::SplitName;
use dnn_data::audit::{
    Audit, AuditOptions, Channel, Duplicates, Group, ImageRef, Leak, Likeness, Listed, Near,
    SplitAudit,
};
use std::fmt::{self, Write};
use std::path::Path;

/// The most classes in the table of counts; the JSON has all of them.
const MAX_CLASSES: usize = 20;

/// Writes everything that was found, the gravest first.
pub(super) fn describe(
    data: &Path,
    audit: &Audit,
    options: &AuditOptions,
) -> Result<String, fmt::Error> {
    let mut out = String::new();
    writeln!(out, "Data: {}, images of {}", data.shown(), audit.shape)?;
    counts(&mut out, audit)?;
    colours(&mut out, audit)?;

    let judged = audit.splits.iter().filter(|split| split.split != SplitName::Train);
    let n_test: usize = judged.map(|split| split.n_images).sum();
    list(
        &mut out,
        ("Test images that are in the training set", &format!(" of {n_test}")),
        &audit.leaks,
        |leak| describe_leak(leak, audit),
    )?;
    list(&mut out, ("Pictures with more than one label", ""), &audit.contradictions, |group| {
        let near = if group.same_pixels { "" } else { "near duplicates: " };
        format!("{near}{}", describe_group(group, audit))
    })?;
    duplicates(&mut out, "Same pixels", &audit.exact, audit)?;
    near(&mut out, audit)?;
    list(&mut out, ("Images of one colour", ""), &audit.constant, |image| name(*image, audit))?;
    list(&mut out, ("Files that could not be read", ""), &audit.unreadable, |file| {
        format!("{}: {}", file.path.shown(), file.reason.shown())
    })?;
    classes(&mut out, audit, options)?;
    Ok(out)
}

/// Writes the number and brightness of the images of each class in each set.
fn counts(out: &mut String, audit: &Audit) -> fmt::Result {
    let names: Vec<_> = audit.classes.iter().map(|name| name.shown()).collect();
    let shown = names.len().min(MAX_CLASSES);
    let width = names[..shown].iter().map(|name| name.chars().count()).max().unwrap_or(0).max(9);
    write!(out, "\n{:<width$}", "class")?;
    for split in &audit.splits {
        write!(out, "  {:>7}  {:>10}", split.split.to_string(), "brightness")?;
    }
    writeln!(out)?;
    for (class, name) in names[..shown].iter().enumerate() {
        write!(out, "{name:<width$}")?;
        for split in &audit.splits {
            let brightness =
                split.brightness[class].map_or("-".into(), |brightness| format!("{brightness:.3}"));
            write!(out, "  {:>7}  {brightness:>10}", split.class_counts[class])?;
        }
        writeln!(out)?;
    }
    if names.len() > shown {
        writeln!(out, "… {} more classes: see --json", names.len() - shown)?;
    }
    let mut all = format!("{:<width$}", "all");
    for split in &audit.splits {
        write!(all, "  {:>7}  {:>10}", split.n_images, "")?;
    }
    writeln!(out, "{}", all.trim_end())
}

/// Writes mean and deviation of the channels.
fn colours(out: &mut String, audit: &Audit) -> fmt::Result {
    let channels: &[&str] = match audit.shape.channels {
        1 => &["values"],
        3 => &["red", "green", "blue"],
        _ => return Ok(()),
    };
    writeln!(out)?;
    write!(out, "{:<9}", "mean, std")?;
    for channel in channels {
        write!(out, "  {channel:>15}")?;
    }
    writeln!(out)?;
    for SplitAudit { split, channels, .. } in &audit.splits {
        write!(out, "{:<9}", split.to_string())?;
        for Channel { mean, std } in channels {
            write!(out, "  {:>15}", format!("{mean:.4}, {std:.4}"))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes a heading with the total, then an entry a line.
fn list<T>(
    out: &mut String,
    (what, of): (&str, &str),
    found: &Listed<T>,
    entry: impl Fn(&T) -> String,
) -> fmt::Result {
    if found.total == 0 {
        return writeln!(out, "\n{what}: none");
    }
    writeln!(out, "\n{what}: {}{of}", found.total)?;
    entries(out, found, entry)
}

fn entries<T>(out: &mut String, found: &Listed<T>, entry: impl Fn(&T) -> String) -> fmt::Result {
    for found in &found.listed {
        writeln!(out, "  {}", entry(found))?;
    }
    match found.n_more() {
        0 => Ok(()),
        more => writeln!(out, "  … {more} more: --list N shows them"),
    }
}

fn duplicates(out: &mut String, what: &str, found: &Duplicates, audit: &Audit) -> fmt::Result {
    if found.groups.total == 0 {
        return writeln!(out, "\n{what}: none");
    }
    let groups = count(found.groups.total, "group", "groups");
    writeln!(out, "\n{what}: {} images in {groups}", found.n_images)?;
    entries(out, &found.groups, |group| describe_group(group, audit))
}

fn near(out: &mut String, audit: &Audit) -> fmt::Result {
    const WHAT: &str = "Near duplicates";
    match &audit.near {
        Near::Off => writeln!(out, "\n{WHAT}: not looked for"),
        Near::TooSmall { min_side } => writeln!(
            out,
            "\n{WHAT}: not looked for, since the images are smaller than {min_side}×{min_side}"
        ),
        Near::Searched(near) => {
            duplicates(out, WHAT, &near.duplicates, audit)?;
            if near.n_flat > 0 {
                writeln!(out, "  {} images show too little to be compared", near.n_flat)?;
            }
            if !near.complete {
                let fewer = near.distance / 2;
                writeln!(
                    out,
                    "  not all pairs were compared: too many are alike; try --near {fewer}"
                )?;
            }
            Ok(())
        }
    }
}

/// Writes what is wrong with the numbers of images.
fn classes(out: &mut String, audit: &Audit, options: &AuditOptions) -> fmt::Result {
    let class = |label: u32| audit.classes[label as usize].shown();
    for split in &audit.splits {
        let imbalance = split.imbalance;
        if imbalance.flagged {
            writeln!(
                out,
                "\nUnequal classes: the {} set has {:.1} images of {} for each of {}, more than {}",
                split.split,
                imbalance.ratio,
                class(imbalance.largest),
                class(imbalance.smallest),
                options.max_class_ratio,
            )?;
        }
        if !split.without_images.is_empty() {
            let shown = split.without_images.iter().take(MAX_CLASSES).map(|&label| class(label));
            let more = if split.without_images.len() > MAX_CLASSES { ", …" } else { "" };
            writeln!(
                out,
                "\nClasses without images in the {} set: {} ({}{more})",
                split.split,
                split.without_images.len(),
                shown.collect::<Vec<_>>().join(", "),
            )?;
        }
    }
    Ok(())
}

fn name(image: ImageRef, audit: &Audit) -> String {
    let class = audit.classes[image.label as usize].shown();
    format!("{} {} ({class})", image.split, image.index)
}

fn describe_leak(leak: &Leak, audit: &Audit) -> String {
    let (test, train) = (name(leak.test, audit), name(leak.train, audit));
    let how = match leak.likeness {
        Likeness::Same => "the same pixels".into(),
        Likeness::Near { distance, difference } => {
            format!("near: {distance} bits, {:.1} %", 100.0 * difference)
        }
    };
    let more = match leak.n_train {
        1 => String::new(),
        n => format!("; {} more in the training set", n - 1),
    };
    format!("{test} is {train}: {how}{more}")
}

fn describe_group(group: &Group, audit: &Audit) -> String {
    let images: Vec<_> = group.images.listed.iter().map(|image| name(*image, audit)).collect();
    let more = match group.images.n_more() {
        0 => String::new(),
        more => format!(", … {more} more"),
    };
    let other = if group.images.listed.contains(&group.other) {
        String::new()
    } else {
        format!(", among them {}", name(group.other, audit))
    };
    format!("{}{more}{other}", images.join(", "))
}
