//! Whether the files of a model are whole. libvosk says why it fails on standard error only, and crashes later on half a graph.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::model::ModelError;
use crate::net::Net;
use crate::phones::TextFile;
use crate::{graph, mfcc};

/// First bytes of every OpenFst file.
const FST_MAGIC: i32 = 2_125_659_606;
/// First bytes of what a look-ahead graph carries behind its arcs.
const ADD_ON_MAGIC: i32 = 446_681_434;
/// An FST flag: its arrays begin at multiples of 16 bytes; what follows cannot be counted as simply then.
const ALIGNED: i32 = 4;

/// Checks the folder; Ok means that libvosk can be trusted with it.
pub(crate) fn folder(model: &Path) -> Result<(), ModelError> {
    if !model.exists() {
        return Err(ModelError::NoFolder(model.into()));
    }
    if !model.is_dir() {
        return Err(ModelError::NotFolder(model.into()));
    }
    // libvosk knows two layouts: with sub-folders, and the older one with all files side by side.
    let flat = !model.join("am").is_dir() && model.join("final.mdl").is_file();
    let (acoustic, graph, features) = if flat { ("", "", "mfcc.conf") } else { ("am/", "graph/", "conf/mfcc.conf") };
    let graph = |name: &str| format!("{graph}{name}");
    if !model.join(graph("HCLr.fst")).exists() && model.join(graph("HCLG.fst")).exists() {
        return Err(ModelError::FixedGraph(model.into()));
    }
    options(model, features)?;
    acoustic_model(model, &format!("{acoustic}final.mdl"))?;
    fst(model, &graph("HCLr.fst"))?;
    fst(model, &graph("Gr.fst"))?;
    text(model, &graph("disambig_tid.int"))?;
    if !flat {
        options(model, "conf/model.conf")?;
    }
    text(model, &if flat { "word_boundary.int".into() } else { graph("phones/word_boundary.int") })?;
    if model.join("ivector").is_dir() {
        for name in ["final.ie", "final.dubm", "final.mat", "global_cmvn.stats", "splice.conf"] {
            read(model, &format!("ivector/{name}"))?;
        }
    }
    Ok(())
}

/// Checks the acoustic model of ours and its settings; the lists beside it are checked as they are read.
pub(crate) fn acoustics(model: &Path, n_phones: usize) -> Result<(), ModelError> {
    options(model, "conf/mfcc.conf")?;
    options(model, "conf/model.conf")?;
    let bytes = acoustic_model(model, "am/final.mdl")?;
    let damaged = |what: &str| damaged(model.join("am/final.mdl"), what);
    let net = Net::read(&bytes, mfcc::DIM).map_err(|what| damaged(&what))?;
    let wanted = graph::Topology { n_phones }.n_kaldi();
    let tuples = bytes.windows(10).position(|it| it == b"<Tuples> \x04");
    let n = tuples.and_then(|at| Bytes(&bytes[at + 10..]).i32());
    if n.is_none_or(|n| n as usize != wanted) {
        return Err(damaged(&format!("does not belong to the {n_phones} phones of phones.txt")));
    }
    match transitions(Bytes(&bytes), wanted, net.n_outputs()) {
        Some(()) => Ok(()),
        None => Err(damaged("has transitions that do not fit its phones and outputs")),
    }
}

/// Walks over the transitions of a model of ours, in which all phones are made alike; libvosk crashes on others.
fn transitions(mut rest: Bytes, n_phones: usize, n_outputs: usize) -> Option<()> {
    let n = n_phones as i32;
    rest.token("\0B<TransitionModel> <Topology> ")?;
    // The phones, and for each the entry that it has.
    rest.ints([n].into_iter().chain(1..=n))?;
    rest.ints([n + 1, -1].into_iter().chain((0..n).map(|_| 0)))?;
    // Forward and loop differ; one entry of two states: goes on or begins, each as likely; the last one emits nothing.
    rest.numbers([-1, 1, 2, 0, 1, 2, 0])?;
    rest.skip(5)?;
    rest.numbers([1])?;
    rest.skip(5)?;
    rest.numbers([-1, -1, 0])?;
    rest.token("</Topology> <Tuples> ")?;
    rest.numbers([n])?;
    for phone in 1..=n {
        rest.numbers([phone, 0])?;
        for _ in 0..2 {
            rest.number().filter(|it| (0..n_outputs as i32).contains(it))?;
        }
    }
    rest.token("</Tuples> <LogProbs> FV ")?;
    rest.numbers([2 * n + 1])?;
    rest.skip(4 * (2 * n_phones + 1))?;
    rest.token("</LogProbs> </TransitionModel> <Nnet3> ")
}

/// The whole file, which must not be empty.
fn read(model: &Path, name: &str) -> Result<(PathBuf, Vec<u8>), ModelError> {
    let file = model.join(name);
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::Missing { model: model.into(), file: name.into() },
        _ => ModelError::Unreadable { file: file.clone(), source },
    };
    let mut bytes = Vec::new();
    File::open(&file).map_err(unreadable)?.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.is_empty() { Err(damaged(file, "is empty")) } else { Ok((file, bytes)) }
}

fn damaged(file: PathBuf, what: &str) -> ModelError {
    ModelError::Damaged { file, what: what.into() }
}

fn text(model: &Path, name: &str) -> Result<(), ModelError> {
    let (file, bytes) = read(model, name)?;
    if bytes.contains(&0) { Err(damaged(file, "is not a text file")) } else { Ok(()) }
}

/// Settings of libvosk, which aborts on a line that it cannot read.
fn options(model: &Path, name: &str) -> Result<(), ModelError> {
    let file = TextFile::of_anybody(model, name)?;
    for line in file.lines() {
        let text = line.text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        let option = text.strip_prefix("--").map(|it| it.split_once('=').unwrap_or((it, "true")));
        let is_name =
            |it: &str| it.starts_with(char::is_alphabetic) && it.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        if !option.is_some_and(|(name, value)| is_name(name) && !value.is_empty()) {
            let column = line.text.len() - line.text.trim_start().len() + 1;
            return Err(line.wrong(column, format!("`{text}` is no option; one is written `--name=value`")));
        }
    }
    Ok(())
}

fn acoustic_model(model: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
    let (file, bytes) = read(model, name)?;
    if !bytes.starts_with(b"\0B<TransitionModel> ") {
        return Err(damaged(file, "is not a Kaldi acoustic model"));
    }
    // The file ends with `<Priors> ` and a vector of floats: "FV ", a 4, the length, the floats.
    let end = bytes.windows(12).rposition(|it| it == b"<Priors> FV ").and_then(|at| {
        let mut rest = Bytes(bytes.get(at + 12..)?);
        rest.skip(1)?;
        let n = rest.i32()?;
        rest.skip(4 * usize::try_from(n).ok()?)
    });
    if end.is_none() { Err(damaged(file, "is cut short")) } else { Ok(bytes) }
}

pub(crate) fn fst(model: &Path, name: &str) -> Result<(), ModelError> {
    let (file, bytes) = read(model, name)?;
    let mut rest = Bytes(&bytes);
    if rest.i32() != Some(FST_MAGIC) {
        return Err(damaged(file, "is not a graph"));
    }
    if whole_fst(Bytes(&bytes)).is_none() { Err(damaged(file, "is cut short")) } else { Ok(()) }
}

/// Walks to the end of a graph; `None` when the bytes end before.
fn whole_fst(mut rest: Bytes) -> Option<()> {
    rest.i32()?;
    let kind = rest.string()?;
    rest.string()?;
    let (_version, flags) = (rest.i32()?, rest.i32()?);
    let (_properties, _start) = (rest.i64()?, rest.i64()?);
    let (states, arcs) = (rest.size()?, rest.size()?);
    if flags & ALIGNED != 0 {
        return Some(());
    }
    match kind.as_slice() {
        // State: final weight, first arc, number of arcs, of input epsilons, of output epsilons. Arc: two labels, weight, next state.
        b"const" => rest.skip(states.checked_mul(20)?.checked_add(arcs.checked_mul(16)?)?),
        b"olabel_lookahead" => {
            (rest.i32()? == ADD_ON_MAGIC).then_some(())?;
            rest.fst_inside()?;
            look_ahead(rest)
        }
        _ => Some(()),
    }
}

/// What a look-ahead graph carries: for each state the intervals of labels that can be reached.
fn look_ahead(mut rest: Bytes) -> Option<()> {
    let there = rest.bool()?;
    for _ in 0..if there { 2 } else { 0 } {
        if !rest.bool()? {
            continue;
        }
        let (_reach_input, keeps_labels) = (rest.bool()?, rest.bool()?);
        if keeps_labels {
            let n = rest.size()?;
            rest.skip(n.checked_mul(8)?)?;
        }
        rest.i32()?;
        for _ in 0..rest.size()? {
            let n = rest.size()?;
            rest.skip(n.checked_mul(8)?)?;
            rest.i32()?;
        }
    }
    Some(())
}

/// Little-endian numbers off the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(front)
    }

    fn skip(&mut self, n: usize) -> Option<()> {
        self.take(n).map(drop)
    }

    fn bool(&mut self) -> Option<bool> {
        Some(self.take(1)?[0] != 0)
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn i64(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    /// A number as Kaldi writes it: its size, and it.
    fn number(&mut self) -> Option<i32> {
        (self.take(1)? == [4]).then_some(())?;
        self.i32()
    }

    /// These numbers.
    fn numbers(&mut self, wanted: impl IntoIterator<Item = i32>) -> Option<()> {
        wanted.into_iter().try_for_each(|it| (self.number()? == it).then_some(()))
    }

    /// These numbers as a vector.
    fn ints(&mut self, wanted: impl IntoIterator<Item = i32>) -> Option<()> {
        (self.take(1)? == [4]).then_some(())?;
        wanted.into_iter().try_for_each(|it| (self.i32()? == it).then_some(()))
    }

    fn token(&mut self, wanted: &str) -> Option<()> {
        (self.take(wanted.len())? == wanted.as_bytes()).then_some(())
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.i64()?).ok()
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        let n = usize::try_from(self.i32()?).ok()?;
        Some(self.take(n)?.to_vec())
    }

    /// A whole const graph.
    fn fst_inside(&mut self) -> Option<()> {
        self.i32()?;
        let kind = self.string()?;
        self.string()?;
        let (_version, flags) = (self.i32()?, self.i32()?);
        let (_properties, _start) = (self.i64()?, self.i64()?);
        let (states, arcs) = (self.size()?, self.size()?);
        if kind != b"const" || flags & ALIGNED != 0 {
            // Not counted: what follows is taken as it is.
            self.0 = &[0; 1];
            return Some(());
        }
        self.skip(states.checked_mul(20)?.checked_add(arcs.checked_mul(16)?)?)
    }
}
