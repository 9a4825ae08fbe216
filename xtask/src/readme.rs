//! The commands that README.md tells people to type.

use std::path::Path;

use anyhow::Context;

/// Every command in README.md's shell blocks, in order.
///
/// # Errors
/// When README.md cannot be read.
pub(crate) fn commands(root: &Path) -> anyhow::Result<Vec<String>> {
    let path = root.join("README.md");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{}: read failed", path.display()))?;
    Ok(commands_in(&text))
}

/// Lines of fenced blocks marked `sh`, `bash`, `shell` or `console`, without prompts and comments;
/// of `console` blocks only those with a prompt, as the rest is output.
fn commands_in(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut block: Option<&str> = None;
    for line in text.lines().map(str::trim) {
        if let Some(info) = line.strip_prefix("```") {
            block = match block {
                None => Some(info.trim()),
                Some(_) => None,
            };
            continue;
        }
        let command = match block {
            Some("sh" | "bash" | "shell") => Some(line.strip_prefix("$ ").unwrap_or(line)),
            Some("console") => line.strip_prefix("$ "),
            _ => None,
        };
        let command = command.map(|c| c.split(" #").next().unwrap_or(c).trim());
        commands.extend(command.filter(|c| !c.is_empty() && !c.starts_with('#')).map(String::from));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_from_shell_blocks_only() {
        let text = "\
`cargo test`\n\
```rust\nlet x = 1;\n```\n\
```sh\n# first\ncargo run -p dnn-cli   # learns\n\n$ cargo test --workspace\n```\n\
cargo build\n\
```console\n$ dnn\nCost after iteration 0\n```\n";
        assert_eq!(commands_in(text), ["cargo run -p dnn-cli", "cargo test --workspace", "dnn"]);
    }
}
