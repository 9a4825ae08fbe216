//! The report of a run as one page of HTML that needs nothing else.

use crate::causes::{FindingKind, LEVEL};
use crate::chart::{Chart, ReportError, png};
use crate::figures::commonest_confusions;
use crate::report::Report;
use crate::words::{p_text, percent};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dnn_data::image::PngContent;
use dnn_data::{ImageShape, Shown};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");
/// Images are shown at most this wide and high, in their own pixels.
const MAX_SIDE: usize = 64;
/// Of more classes, the commonest confusions are listed above the matrix.
const FEW_CLASSES: usize = 10;
/// The most confusions that are listed.
const MAX_COMMONEST: usize = 10;

/// Returns the page: HTML in UTF-8 with its style and pictures in it, which asks for nothing else.
///
/// # Errors
/// [`ReportError::Image`] when an image has not the bytes of its shape.
pub fn page(report: &Report) -> Result<String, ReportError> {
    let gallery = gallery(report)?;
    let mut charts = 0;
    let mut figures = |all: &[Chart]| -> Markup {
        html! {
            @if !all.is_empty() {
                div class="figures" {
                    @for chart in all {
                        @let id = { charts += 1; format!("figure-{charts}") };
                        figure { (PreEscaped(chart.inline_svg(&id))) }
                    }
                }
            }
        }
    };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(report.producer);
                title { (report.title.shown()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (report.title.shown()) }
                    section class="verdict" aria-label="In words" {
                        @for (i, sentence) in report.words.iter().enumerate() {
                            p class=[(i == 0).then_some("first")] { (sentence) }
                        }
                        @for sentence in &report.limits { p class="note" { (sentence) } }
                    }
                    @if !report.figures.is_empty() {
                        section {
                            h2 { "Key figures" }
                            (table("Key figures", &["figure", "value", "meaning"], &html! {
                                        @for (name, value, meaning) in &report.figures {
                                            tr {
                                                th scope="row" { (name) }
                                                td class="number" { (value) }
                                                td { (meaning) }
                                            }
                                        }
                                    }))
                        }
                    }
                    @if !report.causes.is_empty() {
                        section {
                            h2 { "Causes of error" }
                            (figures(&report.cause_charts))
                            (causes(report))
                        }
                    }
                    @if let Some(gallery) = gallery {
                        (section("Errors", &gallery))
                    }
                    @if !report.confusion.is_empty() {
                        section {
                            h2 { "Which class is taken for which" }
                            @if report.classes.len() > FEW_CLASSES { (commonest(report)) }
                            (confusion(report))
                            h2 { "Each class" }
                            (classes(report))
                        }
                    }
                    @if !report.curves.is_empty() {
                        (section("Over all thresholds", &figures(&report.curves)))
                    }
                    @if !report.suspects.is_empty() {
                        (section("Suspect labels", &suspects(report)))
                    }
                    @if !report.leaks.is_empty() {
                        (section("Near duplicates across sets", &leaks(report)))
                    }
                    @if !report.history.is_empty() {
                        (section("Training", &figures(&report.history)))
                    }
                    @if !report.layers.is_empty() {
                        (section("The network", &layers(report)))
                    }
                    (list("Health", &report.health))
                    (list("Data audit", &report.audit))
                    @if !report.repeat.is_empty() {
                        section {
                            h2 { "To repeat it to the byte" }
                            pre tabindex="0" { code { (report.repeat) } }
                        }
                    }
                    @if !report.configuration.is_empty() {
                        section {
                            h2 { "Configuration" }
                            details {
                                summary { "config.toml" }
                                pre tabindex="0" { code { (report.configuration) } }
                            }
                        }
                    }
                }
                footer { p { "Made by " (report.producer) "." } }
            }
        }
    };
    Ok(markup.into_string())
}

/// A section with its heading.
fn section(title: &str, body: &Markup) -> Markup {
    html! { section { h2 { (title) } (body) } }
}

/// A table that is scrolled where it is wider than the page.
fn table(title: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(title) {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

fn list(title: &str, lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            section {
                h2 { (title) }
                ul { @for line in lines { li { (line) } } }
            }
        }
    }
}

fn gallery(report: &Report) -> Result<Option<Markup>, ReportError> {
    if report.errors.is_empty() {
        return Ok(None);
    }
    let mut tiles = Vec::new();
    for (index, error) in report.errors.iter().enumerate() {
        let image = data_url(index, &error.pixels, error.shape)?;
        let rgb = ImageShape { channels: 3, ..error.shape };
        let mut maps = Vec::new();
        for (map, how) in
            [(&error.occlusion, "occlusion"), (&error.gradients, "integrated gradients")]
        {
            if let Some(map) = map {
                maps.push((data_url(index, map, rgb)?, how));
            }
        }
        tiles.push((error, image, maps));
    }
    let n_maps = tiles.iter().map(|(_, _, maps)| maps.len()).max().unwrap_or(0);
    Ok(Some(html! {
        p class="note" {
            @if report.n_errors > report.errors.len() {
                "The " (report.errors.len()) " of " (report.n_errors) " errors that the network is surest of. "
            } @else {
                "All " (report.n_errors) " errors, the surest first. "
            }
            @if n_maps > 0 {
                "Beside an image, where the network looked: orange speaks for its answer, blue against it, by \
                 occlusion of squares"
                @if n_maps > 1 { " and, pixel by pixel, by integrated gradients" }
                ". "
                (report.map_checks)
            }
        }
        ul class="gallery" {
            @for (error, image, maps) in &tiles {
                li {
                    div class="pair" {
                        img src=(image) alt={ (error.name.shown()) ", true class " (error.truth.shown()) };
                        @for (map, how) in maps {
                            img src=(map) alt={
                                "where the network looked in " (error.name.shown()) ", by " (how)
                            };
                        }
                    }
                    p {
                        span class="name" { (error.name.shown()) } br;
                        "true: " (error.truth.shown()) br;
                        "answer: " (error.predicted.shown()) " " (percent(error.probability))
                        @if !error.causes.is_empty() {
                            br; span class="causes" { (error.causes.join(", ")) }
                        }
                    }
                }
            }
        }
    }))
}

/// An image as PNG in a URL, reduced to [`MAX_SIDE`] by leaving out pixels.
fn data_url(index: usize, pixels: &[u8], shape: ImageShape) -> Result<String, ReportError> {
    if pixels.len() != shape.n_bytes() || pixels.is_empty() {
        return Err(ReportError::Image { index, shape, got: pixels.len() });
    }
    let step = shape.height.max(shape.width).div_ceil(MAX_SIDE);
    let (height, width) = (shape.height.div_ceil(step), shape.width.div_ceil(step));
    // What has no colours of its own is shown as grey.
    let channels = if shape.channels >= 3 { 3 } else { 1 };
    let mut out = Vec::with_capacity(height * width * channels);
    for y in (0..shape.height).step_by(step) {
        for x in (0..shape.width).step_by(step) {
            let at = (y * shape.width + x) * shape.channels;
            out.extend_from_slice(&pixels[at..at + channels]);
        }
    }
    let bytes = png(&out, ImageShape { height, width, channels }, PngContent::Photos)?;
    Ok(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes)))
}

fn confusion(report: &Report) -> Markup {
    let headers = |i: usize| format!("class-{i}");
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix" {
            table class="confusion" {
                caption { "Rows are true classes, columns answers." }
                thead { tr {
                    td {}
                    @for (i, name) in report.classes.iter().enumerate() {
                        th scope="col" id=(headers(i)) { span { (name.shown()) } }
                    }
                } }
                tbody {
                    @for (i, (name, row)) in report.classes.iter().zip(&report.confusion).enumerate() {
                        @let total = row.iter().sum::<usize>().max(1);
                        tr {
                            th scope="row" { (name.shown()) }
                            @for (j, count) in row.iter().enumerate() {
                                @let share = (5 * count).div_ceil(total);
                                td class={
                                    "number "
                                    @if *count == 0 { "none" } @else if i == j { "right-" (share) }
                                    @else { "wrong-" (share) }
                                } { (count) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is taken for what most often, where there are too many classes to see it in the matrix.
fn commonest(report: &Report) -> Markup {
    let all = commonest_confusions(&report.confusion);
    let columns = ["true class", "answer", "images", "of the class"];
    let name = |class: usize| report.classes[class].shown();
    html! {
        (table("Commonest confusions", &columns, &html! {
            @for &(truth, answer, count) in all.iter().take(MAX_COMMONEST) {
                @let of_class = report.confusion[truth].iter().sum::<usize>();
                tr {
                    th scope="row" { (name(truth)) }
                    td { (name(answer)) }
                    td class="number" { (count) }
                    td class="number" { (percent(count as f64 / of_class as f64)) }
                }
            }
        }))
        p class="note" {
            "The " (all.len().min(MAX_COMMONEST)) " commonest of " (all.len()) " confusions."
        }
    }
}

fn classes(report: &Report) -> Markup {
    let share = |share: Option<f64>| share.map_or("–".to_owned(), percent);
    let has_areas = !report.class_roc_auc.is_empty();
    let mut columns = vec!["class", "images", "answers", "precision", "recall", "F1"];
    columns.extend(has_areas.then_some("ROC AUC"));
    html! {
        (table("Each class", &columns, &html! {
            @for (i, (name, class)) in report.classes.iter().zip(&report.class_reports).enumerate() {
                tr {
                    th scope="row" { (name.shown()) }
                    td class="number" { (class.support) }
                    td class="number" { (report.confusion.iter().map(|row| row[i]).sum::<usize>()) }
                    td class="number" { (share(class.precision)) }
                    td class="number" { (share(class.recall)) }
                    td class="number" { (share(class.f1)) }
                    @if has_areas {
                        td class="number" {
                            (report.class_roc_auc[i].map_or("–".to_owned(), |area| format!("{area:.4}")))
                        }
                    }
                }
            }
        }))
        p class="note" {
            "“Images” is how many images are of the class, “answers” how often the class is the answer: many more \
             answers than images say that it is answered too often."
        }
    }
}

fn causes(report: &Report) -> Markup {
    let change = |v: f64| format!("{:+.1}", 100.0 * v);
    html! {
        (table("Causes of error", &["cause", "how", "images", "errors, points", "95 % interval", "p by Holm"], &html! {
                    @for one in &report.causes {
                        tr class=[one.p_holm.is_some_and(|p| p < LEVEL).then_some("found")] {
                            th scope="row" { (one.cause.shown()) }
                            td { @match one.kind {
                                FindingKind::Intervention => "changed",
                                FindingKind::Observation => "seen",
                            } }
                            td class="number" { (one.n) }
                            td class="number" { (one.difference.map_or("–".to_owned(), change)) }
                            td class="number" {
                                @match one.interval {
                                    Some([low, high]) => { (change(low)) " to " (change(high)) }
                                    None => { "–" }
                                }
                            }
                            td { (one.p_holm.map_or("too few images".to_owned(), p_text)) }
                        }
                    }
                }))
        p class="note" {
            "“Changed”: the same images with one thing changed, intervals by bootstrap over images, McNemar’s \
             test. "
            @if let Some(seen) = &report.observations {
                "“Seen”: " (seen.n) " images whose causes are known, " (seen.n_errors) " of them misclassified, \
                 Newcombe’s intervals, p by " (seen.tested_by()) ". "
            }
            "All p-values are by Holm over the causes."
        }
    }
}

fn suspects(report: &Report) -> Markup {
    html! {
        p class="note" {
            "Images whose label looks wrong to networks that have not seen them (confident learning). Suspect \
             is not wrong: look at them."
        }
        (table("Suspect labels", &["image", "label", "looks like", "by"], &html! {
                    @for one in &report.suspects {
                        tr {
                            th scope="row" { (one.name.shown()) }
                            td { (one.label.shown()) }
                            td { (one.likely.shown()) }
                            td class="number" { (percent(one.margin)) }
                        }
                    }
                }))
    }
}

fn leaks(report: &Report) -> Markup {
    html! {
        p class="note" {
            "Test images that are, or nearly are, training images: what is known of them is not what the \
             network would do on new ones. Another label of the same picture is wrong on one side. "
            @if report.n_leaks > report.leaks.len() {
                "The first " (report.leaks.len()) " of " (report.n_leaks) "."
            }
        }
        (table("Near duplicates across sets", &["test", "label", "training", "label", "pixels"], &html! {
            @for one in &report.leaks {
                tr class=[(one.test.1 != one.train.1).then_some("found")] {
                    th scope="row" { (one.test.0.shown()) }
                    td { (one.test.1.shown()) }
                    td { (one.train.0.shown()) }
                    td { (one.train.1.shown()) }
                    td { @if one.same_pixels { "the same" } @else { "nearly the same" } }
                }
            }
        }))
    }
}

fn layers(report: &Report) -> Markup {
    let total: usize = report.layers.iter().map(|layer| layer.n_parameters).sum();
    html! {
        (table("The network", &["layer", "weights", "parameters", "activation", "units"], &html! {
                    @for layer in &report.layers {
                        tr {
                            th scope="row" { (layer.name) }
                            td class="number" { (layer.shape.0) " × " (layer.shape.1) }
                            td class="number" { (layer.n_parameters) }
                            td { (layer.activation) }
                            td { (layer.health) }
                        }
                    }
                    tr {
                        th scope="row" { "all" }
                        td {}
                        td class="number" { (total) }
                        td {}
                        td {}
                    }
                }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explanation::MisclassifiedImage;
    use dnn_core::metrics::ClassReport;

    #[test]
    fn a_full_page_is_small_and_no_name_is_markup() {
        let hostile = "</h1><script>alert(1)</script>\u{202e}";
        let shape = ImageShape { height: 300, width: 200, channels: 3 };
        let pixels: Vec<u8> = (0..shape.n_bytes()).map(|i| (i * 7919 % 251) as u8).collect();
        let error = MisclassifiedImage {
            name: hostile.into(),
            truth: hostile.into(),
            predicted: "猫".into(),
            probability: 0.9,
            occlusion: Some(pixels.clone()),
            gradients: Some(pixels.clone()),
            pixels,
            shape,
            causes: vec![hostile.into()],
        };
        let n = 100;
        let report = Report {
            title: hostile.into(),
            words: vec![hostile.into()],
            classes: vec![hostile.into(); n],
            confusion: vec![vec![12_345; n]; n],
            class_reports: vec![
                ClassReport {
                    precision: None,
                    recall: Some(0.5),
                    f1: None,
                    support: 9
                };
                n
            ],
            class_roc_auc: vec![Some(0.75); n],
            errors: vec![error; 48],
            n_errors: 1000,
            configuration: hostile.into(),
            ..Report::default()
        };
        let html = page(&report).expect("drawn");
        assert!(!html.contains("<script") && !html.contains("</h1><script"), "escaped");
        assert!(html.contains("猫") && html.contains("The 48 of 1000 errors"));
        assert!(html.contains("The 10 commonest of 9900 confusions") && html.contains("0.7500"));
        assert!(html.len() < 3_000_000, "{} bytes", html.len());
        // Empty lists leave their sections out.
        let empty = page(&Report::default()).expect("drawn");
        assert!(!empty.contains("<h2>"), "{empty}");
    }

    #[test]
    fn an_image_of_other_bytes_is_refused() {
        let shape = ImageShape { height: 2, width: 2, channels: 3 };
        let error = data_url(5, &[0; 11], shape).unwrap_err();
        assert!(error.to_string().starts_with("image 5 has 11 bytes"), "{error}");
        // Grey, and more channels than a picture has.
        for channels in [1, 2, 3, 5] {
            let shape = ImageShape { height: 130, width: 70, channels };
            let url = data_url(0, &vec![9; shape.n_bytes()], shape).unwrap();
            assert!(url.starts_with("data:image/png;base64,iVBOR"), "{channels}");
        }
    }
}
