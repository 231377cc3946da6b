//! The `deskstream` command: every process of the product and every tool around it.
fn main() {}
