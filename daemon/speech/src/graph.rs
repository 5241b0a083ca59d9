//! The graph that libvosk searches, written for exactly the words that are needed.
//!
//! ```text
//!              optional silence            all phones of a word but the last      the last one, with the word's label
//!   boundary ------------------> root ---> a prefix tree of all words         ---> end of phone p ----> boundary
//!                                  |
//!                                  +-----> any phones, as `[unk]`             ---> end of phone p ----> boundary
//! ```
//!
//! The formats are those of OpenFst (`const` and `olabel_lookahead`); how transitions of a Kaldi model are numbered stands at [`Topology`].

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::phones::{Filler, Phone, Phones, Pronunciation};
use crate::recognizer::UNKNOWN;

/// What `[unk]` pays for each phone, as a multiple of how unlikely the phone is there. Less takes more for words that are none, more takes less.
const UNK_SCALE: f32 = 1.15;
/// A phone that follows less often than once in 2000 is left out of `[unk]`.
const UNK_LEAST: f32 = -7.6;
/// Silence between words is as likely as none.
const HALF: f32 = std::f32::consts::LN_2;

/// Words and how each is said.
pub(crate) type Words = BTreeMap<String, Vec<Pronunciation>>;

/// Writes HCLr.fst, Gr.fst, words.txt, phones/word_boundary.int and disambig_tid.int.
pub(crate) fn write(folder: &Path, words: &Words, phones: &Phones, filler: &Filler) -> io::Result<()> {
    let graph = Graph::new(words, phones, filler);
    std::fs::create_dir_all(folder.join("phones"))?;
    std::fs::write(folder.join("HCLr.fst"), graph.look_ahead_fst())?;
    std::fs::write(folder.join("Gr.fst"), unigram(graph.names.len()))?;
    let ids = graph.names.iter().enumerate().map(|(n, word)| format!("{word} {}\n", n + 1));
    std::fs::write(folder.join("words.txt"), "<eps> 0\n".to_owned() + &ids.collect::<String>())?;
    let topology = Topology { n_phones: phones.len() };
    let copies = (1..phones.len()).flat_map(|it| {
        let places = [(Place::Begin, "begin"), (Place::Inside, "internal"), (Place::End, "end"), (Place::Single, "singleton")];
        places.map(|(place, name)| format!("{} {name}\n", topology.kaldi(it as Phone, place)))
    });
    std::fs::write(folder.join("phones/word_boundary.int"), "1 nonword\n".to_owned() + &copies.collect::<String>())?;
    // Nothing is to be told apart; the file must hold a number, so it holds one that never occurs.
    std::fs::write(folder.join("disambig_tid.int"), format!("{}\n", 2 * topology.n_kaldi() + 1))
}

/// Where in its word a phone stands.
#[derive(Clone, Copy)]
enum Place {
    Begin,
    Inside,
    End,
    Single,
}

/// How a model of ours numbers its transitions: silence is Kaldi phone 1, every other phone has four copies for the places in a word, and the k-th phone
/// has the transitions 2k - 1 (goes on) and 2k (begins).
pub(crate) struct Topology {
    /// Silence included.
    pub n_phones: usize,
}

impl Topology {
    /// The number of Kaldi's phones.
    pub fn n_kaldi(&self) -> usize {
        1 + 4 * (self.n_phones - 1)
    }

    fn kaldi(&self, phone: Phone, place: Place) -> i32 {
        if phone == 0 { 1 } else { 2 + 4 * (i32::from(phone) - 1) + place as i32 }
    }

    fn begins(&self, phone: Phone, place: Place) -> i32 {
        2 * self.kaldi(phone, place)
    }

    fn goes_on(&self, phone: Phone, place: Place) -> i32 {
        2 * self.kaldi(phone, place) - 1
    }
}

#[derive(Clone, Copy)]
struct Arc {
    input: i32,
    output: i32,
    cost: f32,
    to: u32,
}

/// Half-open intervals of word labels, in order.
type Labels = Vec<(i32, i32)>;

/// A prefix tree of pronunciations without their last phones.
#[derive(Default)]
struct Node {
    next: BTreeMap<Phone, usize>,
    /// Words that end with one more phone.
    ends: Vec<(Phone, usize)>,
}

/// The lexicon as a graph.
struct Graph<'a> {
    /// By label, which counts from 1.
    names: Vec<&'a str>,
    arcs: Vec<Vec<Arc>>,
    /// The labels that can come next from each state, without passing one.
    reach: Vec<Labels>,
}

/// The states before those of the tree.
const BOUNDARY: usize = 0;
const ROOT: usize = 1;
const SILENCE: usize = 2;

impl<'a> Graph<'a> {
    fn new(words: &'a Words, phones: &Phones, filler: &Filler) -> Self {
        let tree = tree(words);
        let (labels, below) = number(&tree, words.len());
        let mut names = vec![""; words.len()];
        for (word, label) in words.keys().zip(&labels) {
            names[*label as usize - 1] = word;
        }
        names.push(UNKNOWN);
        let unknown = names.len() as i32;

        let topology = Topology { n_phones: phones.len() };
        let n = phones.len();
        // Four states for each phone: end of a word, a word of one phone, and the beginning and inside of `[unk]`.
        let state = |kind: usize, phone: Phone| 3 + kind * (n - 1) + usize::from(phone) - 1;
        let (end, single) = (|it| state(0, it), |it| state(1, it));
        let (unk_begin, unk_inside) = (|it| state(2, it), |it| state(3, it));
        let node = |it: usize| if it == 0 { ROOT } else { 3 + 4 * (n - 1) + it - 1 };
        let n_states = 3 + 4 * (n - 1) + tree.len() - 1;
        let mut arcs: Vec<Vec<Arc>> = vec![Vec::new(); n_states];
        let mut arc = |from: usize, input, output, cost, to: usize| arcs[from].push(Arc { input, output, cost, to: to as u32 });

        arc(BOUNDARY, 0, 0, HALF, ROOT);
        arc(BOUNDARY, topology.begins(0, Place::Single), 0, HALF, SILENCE);
        arc(SILENCE, topology.goes_on(0, Place::Single), 0, 0.0, SILENCE);
        arc(SILENCE, 0, 0, 0.0, ROOT);
        let speech = || 1..n as u16;
        for phone in speech().map(|it| it as Phone) {
            for (at, place) in [(end(phone), Place::End), (single(phone), Place::Single)] {
                arc(at, topology.goes_on(phone, place), 0, 0.0, at);
                arc(at, 0, 0, 0.0, BOUNDARY);
            }
        }
        for (n, it) in tree.iter().enumerate() {
            let place = if n == 0 { Place::Begin } else { Place::Inside };
            for (phone, next) in &it.next {
                arc(node(n), topology.begins(*phone, place), 0, 0.0, node(*next));
                arc(node(*next), topology.goes_on(*phone, place), 0, 0.0, node(*next));
            }
            for (phone, word) in &it.ends {
                let (place, to) = if n == 0 { (Place::Single, single(*phone)) } else { (Place::End, end(*phone)) };
                arc(node(n), topology.begins(*phone, place), labels[*word], 0.0, to);
            }
        }
        for phone in speech().map(|it| it as Phone) {
            let first = filler.ln(0, phone);
            if first.is_finite() {
                arc(ROOT, topology.begins(phone, Place::Begin), unknown, -UNK_SCALE * first, unk_begin(phone));
            }
            for (at, place) in [(unk_begin(phone), Place::Begin), (unk_inside(phone), Place::Inside)] {
                arc(at, topology.goes_on(phone, place), 0, 0.0, at);
                for next in speech().map(|it| it as Phone).filter(|it| filler.ln(phone, *it) > UNK_LEAST) {
                    let cost = -UNK_SCALE * filler.ln(phone, next);
                    arc(at, topology.begins(next, Place::Inside), 0, cost, unk_inside(next));
                    arc(at, topology.begins(next, Place::End), 0, cost, end(next));
                }
            }
        }
        for it in &mut arcs {
            it.sort_by_key(|it| (it.output, it.input));
        }

        // Every word, `[unk]`, and the end.
        let mut reach = vec![vec![(1, unknown + 2)]; n_states];
        reach[ROOT] = vec![(1, unknown + 1)];
        for (n, labels) in below.into_iter().enumerate().skip(1) {
            reach[node(n)] = labels;
        }
        Self { names, arcs, reach }
    }

    fn look_ahead_fst(&self) -> Vec<u8> {
        let n_arcs = self.arcs.iter().map(Vec::len).sum();
        let mut bytes = Vec::with_capacity(32 * n_arcs);
        header(&mut bytes, "olabel_lookahead", 1, LEXICON, self.arcs.len(), n_arcs);
        bytes.extend(ADD_ON_MAGIC.to_le_bytes());
        const_fst(&mut bytes, LEXICON, &self.arcs, |state| state == BOUNDARY || state == SILENCE);
        // There is something added on: nothing about inputs, something about outputs, which reach forward and keep no old labels.
        bytes.extend([1, 0, 1, 0, 0]);
        let end = self.names.len() as i32 + 1;
        bytes.extend(end.to_le_bytes());
        bytes.extend((self.reach.len() as i64).to_le_bytes());
        for labels in &self.reach {
            bytes.extend((labels.len() as i64).to_le_bytes());
            for (from, to) in labels {
                bytes.extend(from.to_le_bytes());
                bytes.extend(to.to_le_bytes());
            }
            let count: i32 = labels.iter().map(|(from, to)| to - from).sum();
            bytes.extend(count.to_le_bytes());
        }
        bytes
    }
}

fn tree(words: &Words) -> Vec<Node> {
    let mut tree = vec![Node::default()];
    for (word, variants) in words.values().enumerate() {
        for (last, before) in variants.iter().filter_map(|it| it.split_last()) {
            let mut at = 0;
            for phone in before {
                at = match tree[at].next.get(phone) {
                    Some(next) => *next,
                    None => {
                        tree.push(Node::default());
                        let next = tree.len() - 1;
                        tree[at].next.insert(*phone, next);
                        next
                    }
                };
            }
            if !tree[at].ends.contains(&(*last, word)) {
                tree[at].ends.push((*last, word));
            }
        }
    }
    tree
}

/// Labels for the words, so that those below a node of the tree are few intervals; and these intervals. `tree` has parents before children.
fn number(tree: &[Node], n_words: usize) -> (Vec<i32>, Vec<Labels>) {
    let (mut labels, mut used) = (vec![0; n_words], 0);
    let mut waiting = vec![0];
    while let Some(at) = waiting.pop() {
        for (_, word) in &tree[at].ends {
            if labels[*word] == 0 {
                used += 1;
                labels[*word] = used;
            }
        }
        waiting.extend(tree[at].next.values().rev());
    }
    for label in labels.iter_mut().filter(|it| **it == 0) {
        used += 1;
        *label = used;
    }
    let mut below: Vec<Labels> = vec![Vec::new(); tree.len()];
    for at in (0..tree.len()).rev() {
        let own = tree[at].ends.iter().map(|(_, word)| (labels[*word], labels[*word] + 1));
        let mut all: Labels = own.chain(tree[at].next.values().flat_map(|it| below[*it].iter().copied())).collect();
        all.sort_unstable();
        for (from, to) in all {
            match below[at].last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => below[at].push((from, to)),
            }
        }
    }
    (labels, below)
}

/// Every word as likely as any other; a grammar takes its place, but libvosk wants one.
fn unigram(n_words: usize) -> Vec<u8> {
    let cost = (n_words as f32).ln();
    let arcs = (1..=n_words as i32).map(|it| Arc { input: it, output: it, cost, to: 0 }).collect();
    let mut bytes = Vec::new();
    const_fst(&mut bytes, GRAMMAR, &[arcs], |_| true);
    bytes
}

const FST_MAGIC: i32 = 2_125_659_606;
const ADD_ON_MAGIC: i32 = 446_681_434;

/// Properties as OpenFst counts them: expanded, weighted, cyclic also in inputs, not sorted by topology, all states on a way from start to end, no string.
const COMMON: u64 = 1 | 1 << 32 | 1 << 34 | 1 << 36 | 1 << 39 | 1 << 40 | 1 << 42 | 1 << 45;
/// A transducer that is not deterministic, with epsilons on both sides, sorted by output only.
const LEXICON: u64 = COMMON | 0x2_0000 | 0x8_0000 | 0x20_0000 | 0x40_0000 | 0x100_0000 | 0x400_0000 | 0x2000_0000 | 0x4000_0000;
/// A deterministic acceptor without epsilons, sorted.
const GRAMMAR: u64 = COMMON | 0x1_0000 | 0x4_0000 | 0x10_0000 | 0x80_0000 | 0x200_0000 | 0x800_0000 | 0x1000_0000 | 0x4000_0000;

fn header(bytes: &mut Vec<u8>, kind: &str, version: i32, properties: u64, n_states: usize, n_arcs: usize) {
    bytes.extend(FST_MAGIC.to_le_bytes());
    for text in [kind, "standard"] {
        bytes.extend((text.len() as i32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes.extend(version.to_le_bytes());
    bytes.extend(0i32.to_le_bytes());
    bytes.extend(properties.to_le_bytes());
    for number in [0, n_states as i64, n_arcs as i64] {
        bytes.extend(number.to_le_bytes());
    }
}

fn const_fst(bytes: &mut Vec<u8>, properties: u64, arcs: &[Vec<Arc>], is_final: impl Fn(usize) -> bool) {
    header(bytes, "const", 2, properties, arcs.len(), arcs.iter().map(Vec::len).sum());
    let mut first = 0u32;
    for (state, arcs) in arcs.iter().enumerate() {
        let cost = if is_final(state) { 0.0 } else { f32::INFINITY };
        let count = |of: fn(&Arc) -> bool| arcs.iter().filter(|it| of(it)).count() as u32;
        bytes.extend(cost.to_le_bytes());
        for number in [first, arcs.len() as u32, count(|it| it.input == 0), count(|it| it.output == 0)] {
            bytes.extend(number.to_le_bytes());
        }
        first += arcs.len() as u32;
    }
    for it in arcs.iter().flatten() {
        bytes.extend(it.input.to_le_bytes());
        bytes.extend(it.output.to_le_bytes());
        bytes.extend(it.cost.to_le_bytes());
        bytes.extend(it.to.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::lexicon::Lexicon;

    #[test]
    fn what_is_written_can_be_read_back() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/hark");
        let lexicon = Lexicon::open(&model, &["en".into(), "de".into()]).unwrap();
        let words: Words =
            ["call", "mom", "a", "kvitko", "hang", "up"].iter().map(|it| ((*it).to_owned(), lexicon.pronounce(it))).collect();
        let folder = std::env::temp_dir().join(format!("hark-graph-{}", std::process::id()));
        for words in [words, Words::new()] {
            write(&folder, &words, lexicon.phones(), lexicon.filler()).unwrap();
            check::fst(&folder, "HCLr.fst").unwrap();
            check::fst(&folder, "Gr.fst").unwrap();
            let text = std::fs::read_to_string(folder.join("words.txt")).unwrap();
            assert_eq!(text.lines().count(), words.len() + 2);
            assert!(text.starts_with("<eps> 0\n") && text.ends_with(&format!("[unk] {}\n", words.len() + 1)));
            let places = std::fs::read_to_string(folder.join("phones/word_boundary.int")).unwrap();
            assert_eq!(places.lines().count(), 1 + 4 * (lexicon.phones().len() - 1));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn labels_below_a_node_are_few_intervals_and_reach_all_its_words() {
        let words: Words = [
            ("ab", vec![vec![1, 2]]),
            ("abc", vec![vec![1, 2, 3]]),
            ("abd", vec![vec![1, 2, 4], vec![5, 4]]),
            ("e", vec![vec![5]]),
        ]
        .into_iter()
        .map(|(word, variants)| (word.to_owned(), variants))
        .collect();
        let tree = tree(&words);
        let (labels, below) = number(&tree, words.len());
        let mut sorted = labels.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 2, 3, 4]);
        let a = tree[0].next[&1];
        let reached: Vec<bool> = labels.iter().map(|it| below[a].iter().any(|(from, to)| (from..to).contains(&it))).collect();
        assert_eq!(reached, [true, true, true, false]);
    }
}
