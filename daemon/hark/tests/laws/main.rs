//! The laws of the house (ARCHITECTURE.md, CONTRIBUTING.md) that the compiler does not enforce, read from the sources themselves.
//!
//! A law that fails names every place that breaks it, as `file:line: what`.

mod arrows;
mod configs;
mod docs;
mod rust;
mod style;
mod tree;

/// Fails with all complaints at once, and says which law they break.
fn uphold(law: &str, complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{law}:\n  {}\n", complaints.join("\n  "));
}
