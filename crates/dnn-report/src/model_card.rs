//! The model card of a run: Markdown, with front matter in YAML as Hugging Face reads it.

use crate::words::percent;
use dnn_core::metrics::Score;
use std::fmt::Write as _;

/// The contents of a model card.
#[derive(Debug, Clone, Copy)]
pub struct ModelCard<'a> {
    /// The name of the run.
    pub name: &'a str,
    /// The layers: "12288-20-7-5-1".
    pub architecture: &'a str,
    /// The names of the classes.
    pub classes: &'a [String],
    /// How an image becomes the network's input, in words.
    pub input: &'a str,
    /// Whether it takes images, and not rows of a table.
    pub takes_images: bool,
    /// The name of the data that the model was judged on, and what the judged images are called.
    pub judged_on: (&'a str, &'a str),
    /// The score on these images.
    pub score: Score,
    /// What was found, in sentences.
    pub words: &'a [String],
    /// The commands that repeat the run.
    pub repeat: &'a str,
    /// The name and version of the program.
    pub producer: &'a str,
}

/// Returns the text of the card.
pub fn model_card(card: &ModelCard<'_>) -> String {
    let ModelCard { name, score, judged_on: (data, split), .. } = *card;
    let task = if card.takes_images { "image-classification" } else { "tabular-classification" };
    // A string of JSON is one of YAML, whatever is in it.
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let (low, high) = score.wilson_interval();
    let mut out = format!(
        "---\nlibrary_name: dnn\npipeline_tag: {task}\ntags:\n- {task}\n- safetensors\nmetrics:\n- accuracy\n\
         model-index:\n- name: {}\n  results:\n  - task:\n      type: {task}\n    dataset:\n      name: {}\n      \
         type: {}\n      split: {}\n    metrics:\n    - type: accuracy\n      value: {}\n---\n\n# {}\n\n",
        text(name),
        text(data),
        text(data),
        text(split),
        score.accuracy(),
        line(name)
    );
    let classes: Vec<_> = card.classes.iter().map(|class| line(class)).collect();
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "A deep fully-connected network, {}, that tells apart: {}.\n\nInput: {}.\n\n## How good it is\n\n\
         Right on {} of {} {split} of {}: {} (95 % interval {} to {}).\n\n",
        card.architecture,
        classes.join(", "),
        card.input,
        score.correct,
        score.total,
        line(data),
        percent(score.accuracy()),
        percent(low),
        percent(high)
    );
    for sentence in card.words.iter().skip(1) {
        let _ = writeln!(out, "{sentence}\n");
    }
    let _ = write!(
        out,
        "## To use it\n\n```sh\ndnn predict model.safetensors {}\n```\n\n## To repeat it\n\n```sh\n{}\n```\n\n\
         Trained by {}; report.html has all figures.\n",
        if card.takes_images { "PHOTO.jpg" } else { "TABLE.csv" },
        card.repeat.trim_end(),
        card.producer
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_stays_in_its_line_and_its_quotes() {
        let classes = ["non-cat".to_owned(), "a: \"b\"\n# c".to_owned()];
        let card = model_card(&ModelCard {
            name: "x\"\n---\n",
            architecture: "4-3-1",
            classes: &classes,
            input: "64×64 RGB",
            takes_images: true,
            judged_on: ("data", "test images"),
            score: Score { correct: 40, total: 50 },
            words: &["First.".into(), "It does worst at pose.".into()],
            repeat: "dnn train --config config.toml\n",
            producer: "dnn 0.1.0",
        });
        assert_eq!(card.lines().filter(|line| *line == "---").count(), 2, "{card}");
        assert!(card.contains("- name: \"x\\\"\\n---\\n\"\n"), "{card}");
        assert!(card.contains("      value: 0.8\n"), "{card}");
        assert!(card.contains("non-cat, a: \"b\" # c.\n"), "{card}");
        assert!(card.contains("80.0 % (95 % interval 67.0 % to 88.8 %)"), "{card}");
        assert!(card.contains("\nIt does worst at pose.\n") && !card.contains("First."), "{card}");
    }
}
