//! What the table says about the machine: processor, cores, instruction sets. No names, no paths.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// Instruction sets that decide the speed of products, as Linux names them.
const SETS: &[(&str, &str)] =
    &[("avx2", "AVX2"), ("fma", "FMA"), ("avx512f", "AVX-512"), ("asimd", "NEON"), ("sve", "SVE")];

/// One line: the processor, its cores and instruction sets, the compiler.
///
/// # Errors
/// When rustc does not answer.
pub(super) fn describe(folder: &Path) -> anyhow::Result<String> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let rustc = Command::new("rustc")
        .arg("--version")
        .current_dir(folder)
        .output()
        .context("rustc did not start")?;
    let rustc = String::from_utf8_lossy(&rustc.stdout);
    let rustc = rustc.split(" (").next().unwrap_or_default().trim().to_owned();
    Ok(format!("{}, {cores} cores; {rustc}", processor(&cpuinfo)))
}

/// The processor's model and what it can do, from Linux's description.
fn processor(cpuinfo: &str) -> String {
    let value = |key: &str| {
        let line = cpuinfo.lines().find(|line| line.split(':').next().map(str::trim) == Some(key));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    };
    let model = value("model name").unwrap_or(std::env::consts::ARCH);
    let generation = match (value("cpu family"), value("model")) {
        (Some(family), Some(number)) => format!(" (family {family}, model {number})"),
        _ => String::new(),
    };
    let flags: Vec<&str> = value("flags")
        .or_else(|| value("Features"))
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let sets: Vec<&str> =
        SETS.iter().filter(|(flag, _)| flags.contains(flag)).map(|(_, name)| *name).collect();
    format!(
        "{model}{generation} with {}",
        if sets.is_empty() { "?".into() } else { sets.join(" ") }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_read_from_linux() {
        let x86 = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n\
                   flags\t\t: fpu avx fma avx2\n";
        assert_eq!(processor(x86), "AMD EPYC (family 25, model 1) with AVX2 FMA");
        let arm = "processor\t: 0\nFeatures\t: fp asimd\n";
        assert_eq!(processor(arm), format!("{} with NEON", std::env::consts::ARCH));
    }
}
