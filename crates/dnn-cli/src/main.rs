//! The `dnn` program.
#![allow(dead_code, reason = "the commands that draw come next")]
mod figure;

fn main() {}
